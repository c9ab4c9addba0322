import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../src/cli/launcher.mjs', import.meta.url));

/** What is still running. Whatever ends this process ends them too. */
const running = new Set<ChildProcess>();

function endAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

process.once('exit', endAll);
process.once('SIGTERM', () => {
  endAll();
  process.exit(143);
});

/** The real command line in a process of its own. Settings of the person's own cluster do not reach it. */
export function startHoldfast(args: readonly string[], options: SpawnOptions): ChildProcess {
  return startNode([cli, ...args], options);
}

/** Node itself, with these arguments, until it ends or is ended. */
export function startNode(args: readonly string[], options: SpawnOptions): ChildProcess {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_'));
  const env = { ...Object.fromEntries(own), NO_COLOR: '1', ...options.env };
  const child = spawn(process.execPath, args, { ...options, env });
  running.add(child);
  child.once('close', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Signals the process, and resolves when it is gone. @returns its exit code, or undefined when a signal ended it. */
export async function end(
  child: ChildProcess,
  signal: NodeJS.Signals,
): Promise<number | undefined> {
  if (!hasEnded(child)) {
    await new Promise<void>((done) => {
      child.once('exit', () => done());
      child.kill(signal);
    });
  }
  return child.exitCode ?? undefined;
}
