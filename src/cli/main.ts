import { endProcess } from './end-process.ts';
import { lazyBackend } from './lazy-backend.ts';
import { runCli } from './run.ts';

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Whoever asks twice does not want to wait for an orderly end.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort(new Error(signal));
  });
}

/** Runs the command line of this process, then ends it. `keepCode` is called between, see endProcess. */
export async function main(keepCode?: () => void): Promise<never> {
  const code = await runCli(process.argv.slice(2), {
    backend: lazyBackend(async () => (await import('../agent/backend.ts')).createBackend()),
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    isTty: process.stdout.isTTY === true,
    signal: interrupt.signal,
    columns: () => process.stdout.columns ?? 80,
  });
  return await endProcess(code, keepCode);
}
