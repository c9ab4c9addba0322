import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import koffi from 'koffi';
import { MiB, secondMs } from '../../base/units.ts';

/** Parameters of glibc's mallopt(3). */
const trimThreshold = -1;
const topPad = -2;
const mmapThreshold = -3;
const arenaMax = -8;

/** The most that glibc takes here: a block of its own costs a page fault for every 4 KiB of it, each time. */
const mmappedSizeMin = 32 * MiB;
/** Free memory that stays warm between two trims. */
const warmSizeMax = 64 * MiB;
const growthStep = 16 * MiB;
const arenas = 2;
const trimPeriodMs = 5 * secondMs;

/**
 * Makes the C allocator keep what a backup or a restore is about to use again, and give the rest back, until
 * disposed. Both turn over gigabytes in buffers of up to a megabyte on several threads. By default glibc asks the
 * system for each large buffer and returns it: a third of the processor time of a restore went into pages that were
 * new each time. And it keeps what was freed in an arena for each thread: the process stays several times as large
 * as what it needs.
 */
export function boundMemory(): Disposable {
  const trim = tuneAllocator();
  const timer = setInterval(trim, trimPeriodMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** @returns what hands free memory back to the system; nothing where the C library is not glibc. */
function tuneAllocator(): () => void {
  try {
    const libc = koffi.load('libc.so.6');
    const mallopt = libc.func('int mallopt(int parameter, int value)');
    mallopt(arenaMax, arenas);
    mallopt(mmapThreshold, mmappedSizeMin);
    mallopt(trimThreshold, warmSizeMax);
    mallopt(topPad, growthStep);
    const mallocTrim = libc.func('int malloc_trim(size_t pad)');
    return () => {
      mallocTrim(0);
    };
  } catch {
    return () => {};
  }
}

/**
 * Lets the heaps of all threads grow to two and a half times their size. V8 lets a small one grow by so little that
 * the buffers of a backup, which count too, make it collect all of the heap a hundred times: more processor time than
 * the backup itself. Only once the work has begun: while the flag is set, V8 rejects code that was compiled without
 * it, also Node's own, and compiles it anew (see cli/end-process.ts).
 */
export function growFreely(): void {
  setFlagsFromString('--heap-growing-percent=150');
}

/** Collects all that is garbage now. */
export function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options?: { type: 'major' }) => void;
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major' });
}
