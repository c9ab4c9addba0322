import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as after } from 'node:timers/promises';
import { printable, utf8 } from '../../base/bytes.ts';
import { KiB, secondMs } from '../../base/units.ts';
import type { Hook, HookResult } from '../../ports/hook.ts';
import type { Cancel } from '../../ports/runtime.ts';

/** Kept of what a program writes: enough for a message, and for a mark of the control log. */
const outputSizeMax = 4 * KiB;
/** Between the polite signal and the other. */
const graceMs = 2 * secondMs;
/** After the program has ended, for what it wrote last to arrive. */
const drainMs = 200;

/** Not the agent's: what a program finds must not depend on how the agent was started. */
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs a program without a shell, in a process group of its own, which is killed as a whole when time is up.
 * What it leaves behind when it ends by itself (a server that it has started) goes on.
 * @throws the signal's reason, once the group is gone
 */
export async function runChild(
  { argv, environment }: Hook,
  { timeoutMs, signal }: Cancel & { readonly timeoutMs: number },
): Promise<HookResult> {
  signal?.throwIfAborted();
  const [program = '', ...rest] = argv;
  const child = spawn(program, rest, {
    cwd: '/',
    env: { ...environment, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A session of its own: signals to the group reach all that it has started.
    detached: true,
  });
  const tail = new OutputTail([child.stdout, child.stderr]);
  const ended = endOf(child);
  const stop = new AbortController();
  const wanted = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
  const late = after(timeoutMs, 'late' as const, { signal: wanted, ref: false });
  const first = await Promise.race([ended, late.catch(() => 'cancelled' as const)]);
  stop.abort();
  if (first === 'late' || first === 'cancelled') await killGroup(child, ended);
  const output = await tail.end();
  signal?.throwIfAborted();
  if (first === 'late') {
    const detail = `${program} was stopped: it took longer than ${timeoutMs / secondMs} s`;
    return { isDone: false, detail, output };
  }
  const how = first === 'cancelled' ? 'was stopped' : first;
  return { isDone: how === isWell, detail: `${program} ${how}`, output };
}

const isWell = 'ended with code 0';

/** How it ended, in words; also when it could not be started. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) resolve(`cannot be started: ${error.code ?? error.message}`);
    });
    child.once('exit', (code, killedBy) => {
      resolve(code === null ? `was killed by ${killedBy}` : `ended with code ${code}`);
    });
  });
}

/** Resolves when the program itself is gone; the others of its group have had the same signal. */
async function killGroup(child: ChildProcess, ended: Promise<string>): Promise<void> {
  signalGroup(child, 'SIGTERM');
  await Promise.race([ended, after(graceMs, undefined, { ref: false })]);
  // Also when it has ended: what it has started may have passed over the first signal.
  signalGroup(child, 'SIGKILL');
  await ended;
}

function signalGroup({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch (error) {
    // Nobody of the group is left.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** The last bytes that came out of some streams. */
class OutputTail {
  readonly #streams: readonly Readable[];
  #bytes: Buffer = Buffer.alloc(0);

  constructor(streams: readonly Readable[]) {
    this.#streams = streams;
    for (const stream of streams) {
      stream.on('data', (part: Buffer) => {
        this.#bytes = Buffer.concat([this.#bytes, part]).subarray(-outputSizeMax);
      });
      stream.on('error', () => {});
    }
  }

  /**
   * What has come so far. A server that was started may hold the streams open for ever: they are read on, so
   * that it does not die of writing to them, but they keep nothing waiting.
   */
  async end(): Promise<string> {
    const stop = new AbortController();
    const closed = this.#streams.map(
      (stream) => stream.closed || new Promise((resolve) => stream.once('close', resolve)),
    );
    await Promise.race([
      Promise.all(closed),
      after(drainMs, undefined, { signal: stop.signal }).catch(() => {}),
    ]);
    stop.abort();
    for (const stream of this.#streams) if ('unref' in stream) (stream.unref as () => void)();
    return shown(this.#bytes);
  }
}

/** Lines stay lines; everything else that a terminal would obey is written out. Never longer than the bound. */
function shown(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('utf8').trimEnd();
  const lines = text.split('\n').map((line) => printable(utf8(line)));
  return lines.join('\n').slice(-outputSizeMax);
}
