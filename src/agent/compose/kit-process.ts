import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { errorTable, type ErrorCode, HoldfastError } from '../../core/errors.ts';
import type { KitApi, KitDrillRequest, KitLine } from '../kit-types.ts';

const launcher = fileURLToPath(new URL('../../cli/launcher.mjs', import.meta.url));
/** Each holds a session with the members and a copy of the kit. */
const processesMax = 4;
/** Of what a process complains about; its last line says why it has failed. */
const complaintsMax = 64 * 1024;

/** Runs the commands of the kit, as a person at this host would. */
export function kitProcesses(stateDir: string): KitApi {
  const running = new Set<ChildProcess>();
  const start = (
    command: readonly string[],
    kit: string | undefined,
    args: readonly string[],
  ): Run => {
    const opened = kit === undefined ? [] : ['--kit', kit];
    return startCommand([...command, ...opened, '-s', stateDir, '--json', ...args], running);
  };
  return {
    list: ({ kit, snapshot, path }) => lines(() => start(['ls'], kit, [`${snapshot}:${path}`])),
    find: ({ kit, snapshot, pattern }) =>
      lines(() => start(['find'], kit, ['--ignore-case', '--snapshot', snapshot, '--', pattern])),
    diff: ({ kit, from, to, path }) =>
      lines(() => start(['diff'], kit, [`${from}:${path}`, `${to}:${path}`])),
    drill: (request) => lines(() => start(['drill', 'run'], request.kit, drillArguments(request))),
    dump: ({ kit, snapshot, path }) => bytes(start(['dump'], kit, [`${snapshot}:${path}`])),
  };
}

function drillArguments(request: KitDrillRequest): string[] {
  const { scenario, dataset, path, sampleBytes, without = [], isSandbox = false } = request;
  return [
    ...(sampleBytes === undefined ? [] : ['--sample', String(sampleBytes)]),
    ...without.flatMap((site) => ['--without', site]),
    ...(isSandbox ? ['--sandbox'] : []),
    ...['--', scenario, path === undefined ? dataset : `${dataset}:${path}`],
  ];
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

type Printed = { readonly message_type: string; readonly type?: string };

/** The process ends when nobody reads any more. */
async function* lines(start: () => Run): AsyncGenerator<KitLine> {
  const { child, ended } = start();
  if (child.stdout === null) throw new HoldfastError('failed', 'the process has no output');
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const { message_type, type: kind, ...rest } = JSON.parse(line) as Printed;
      yield { ...rest, ...(kind !== undefined && { kind }), type: message_type };
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
  const parts = stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
  const first = await parts.next();
  if (first.done) await ended;
  return (async function* () {
    try {
      for (let next = first; !next.done; next = await parts.next()) yield next.value;
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
