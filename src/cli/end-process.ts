import { flushCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

/**
 * Ends this process at once with an exit code, after `keepCode` has kept what was compiled. What must last has been
 * written and what must be closed has been closed before. Node's own way out joins V8's compiler threads, and one of
 * them may wait for a collection that the main thread, which waits for it, will never make (nodejs/node#54918): a
 * restore that had done all of its work stood still for ever.
 */
export async function endProcess(code: number, keepCode?: () => void): Promise<never> {
  // V8 takes compiled code only where its flags are those that it was kept with, here those of a start.
  setFlagsFromString('--heap-growing-percent=0');
  flushCompileCache();
  keepCode?.();
  try {
    const { default: koffi } = await import('koffi');
    koffi.load('libc.so.6').func('void _exit(int code)')(code);
  } catch {
    // Another C library: Node's own way nearly always works.
  }
  process.exit(code);
}
