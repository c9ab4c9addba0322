#!/usr/bin/env node
// Runs on any Node from 18 on, and hands over to the bundled Node 24 when the system's is older.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { bundlePlace } from './bundle-place.mjs';

/** A command is over before compiling its functions has paid; what it calls is kept by its name. */
async function start(bundle) {
  const words = process.argv.slice(2);
  const [first = ''] = words;
  const commands = join(bundle, 'commands');
  if (!words.includes('agent') && existsSync(commands)) {
    const { runBundle } = await import('./kept-code.mjs');
    const file = join(commands, 'code', /^[a-z]{1,20}$/.test(first) ? first : 'other');
    const { exports, keep } = runBundle(commands, file);
    await exports.main(keep);
  }
  const bundled = join(bundle, 'main.js');
  const { main } = await import(existsSync(bundled) ? pathToFileURL(bundled).href : './main.ts');
  await main();
}

const here = dirname(fileURLToPath(import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // For all threads. Unlike the flag of growFreely, it leaves kept code valid.
  setFlagsFromString('--max-semi-space-size=16');
  // Compiled code is kept beside the dependencies: half the start-up time, and no TypeScript compiler in the
  // memory of each thread. Where that place is not writable, all goes on without.
  const cache = process.env.NODE_COMPILE_CACHE ?? join(here, '../../node_modules/.cache/holdfast');
  module.enableCompileCache(cache);
  process.env.NODE_COMPILE_CACHE = cache;
  await start(bundlePlace());
} else {
  let node;
  try {
    const require = createRequire(import.meta.url);
    node = join(
      dirname(require.resolve(`node-${process.platform}-${process.arch}/package.json`)),
      'bin',
      'node',
    );
  } catch {
    console.error(
      `holdfast needs Node.js 24 or newer (this is ${process.version}), or its dependencies: run npm install --no-save.`,
    );
    process.exit(1);
  }
  const entry = fileURLToPath(import.meta.url);
  const child = spawn(node, [...process.execArgv, entry, ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
