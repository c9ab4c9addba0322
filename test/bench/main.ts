import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { benchArguments } from './arguments.ts';
import { benchCalls } from './calls.ts';
import { curves } from './curves.ts';
import { macro } from './macro.ts';
import { micro } from './micro.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort(new Error('interrupted'));
  });
}

try {
  const given = benchArguments(process.argv.slice(2));
  mkdirSync(given.work, { recursive: true });
  // A directory of our own, since all of it is removed in the end.
  const options = { ...given, work: mkdtempSync(join(given.work, 'bench-')) };
  // Directories of clusters too: everything is on the disk that is to be measured.
  process.env.TMPDIR = options.work;
  try {
    if (options.kind === 'macro') await macro(options, stop.signal);
    else if (options.kind === 'micro') await micro(options, stop.signal);
    else if (options.kind === 'calls') await benchCalls();
    else await curves(options, stop.signal);
  } finally {
    rmSync(options.work, { recursive: true, force: true });
  }
} catch (error) {
  const words = error instanceof Error ? error.message : String(error);
  console.error(stop.signal.aborted ? 'interrupted' : words);
  process.exitCode = stop.signal.aborted ? 130 : 1;
}
