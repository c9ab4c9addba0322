import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { errorTable, type ErrorCode, HoldfastError } from '../../core/errors.ts';
import type { KitApi, KitLine } from '../kit-types.ts';

const launcher = fileURLToPath(new URL('../../cli/launcher.mjs', import.meta.url));
/** Each holds a session with the members and a copy of the kit. */
const processesMax = 4;
/** Of what a process complains about; its last line says why it has failed. */
const complaintsMax = 64 * 1024;

/** Runs the commands of the kit, as a person at this host would. */
export function kitProcesses(stateDir: string): KitApi {
  const running = new Set<ChildProcess>();
  const start = (command: readonly string[], kit: string): Run =>
    startCommand([...command, '--kit', kit, '-s', stateDir, '--json'], running);
  return {
    list: ({ kit, snapshot, path }) => lines(() => start(['ls', `${snapshot}:${path}`], kit)),
    find: ({ kit, snapshot, pattern }) =>
      lines(() => start(['find', '--ignore-case', '--snapshot', snapshot, '--', pattern], kit)),
    diff: ({ kit, from, to, path }) =>
      lines(() => start(['diff', `${from}:${path}`, `${to}:${path}`], kit)),
    drill: ({ kit, dataset, path, sampleBytes }) => {
      const scenario = path === undefined ? ['dataset', dataset] : ['file', `${dataset}:${path}`];
      const sample = sampleBytes === undefined ? [] : ['--sample', String(sampleBytes)];
      return lines(() => start(['drill', 'run', ...sample, ...scenario], kit));
    },
    dump: ({ kit, snapshot, path }) => bytes(start(['dump', `${snapshot}:${path}`], kit)),
  };
}

type Run = { readonly child: ChildProcess; readonly ended: Promise<void> };

function startCommand(args: readonly string[], running: Set<ChildProcess>): Run {
  if (running.size >= processesMax) {
    throw new HoldfastError('limit-exceeded', 'too many requests with the kit at once', {
      next: 'wait until one has ended',
    });
  }
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let complaints = '';
  child.stderr?.on('data', (data: Buffer) => {
    complaints = (complaints + data.toString()).slice(-complaintsMax);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      running.delete(child);
      if (code === 0) resolve();
      else reject(failureIn(complaints));
    });
  });
  // Who reads the output hears of it; who has gone away does not.
  ended.catch(() => undefined);
  return { child, ended };
}

/** The process ends when nobody reads any more. */
async function* lines(start: () => Run): AsyncGenerator<KitLine> {
  const { child, ended } = start();
  if (child.stdout === null) throw new HoldfastError('failed', 'the process has no output');
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const { message_type: type, ...rest } = JSON.parse(line) as { message_type: string };
      yield { type, ...rest };
    }
    await ended;
  } finally {
    child.kill('SIGINT');
  }
}

/** Waits for the first bytes, so that a failure before them is told as one. */
async function bytes({ child, ended }: Run): Promise<AsyncIterable<Uint8Array>> {
  const { stdout } = child;
  if (stdout === null) throw new HoldfastError('failed', 'the process has no output');
  const readable = new Promise<void>((resolve) => {
    stdout.once('readable', resolve);
    stdout.once('end', resolve);
  });
  await Promise.race([readable, ended.then(() => undefined)]);
  return (async function* () {
    try {
      for await (const part of stdout) yield part as Uint8Array;
      await ended;
    } finally {
      child.kill('SIGINT');
    }
  })();
}

/** The last line that a command prints when it fails. */
function failureIn(complaints: string): HoldfastError {
  for (const line of complaints.trim().split('\n').toReversed()) {
    try {
      const told = JSON.parse(line) as { code: string; message: string; next?: string };
      if (!(told.code in errorTable)) continue;
      const { next } = told;
      return new HoldfastError(
        told.code as ErrorCode,
        told.message,
        next === undefined ? {} : { next },
      );
    } catch {
      // Not of ours: the runtime's, for example.
    }
  }
  return new HoldfastError('failed', `the command ended without a word: ${complaints.slice(-500)}`);
}
