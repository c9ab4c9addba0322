import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import koffi from 'koffi';
import { secondMs } from '../../base/units.ts';

/** Parameters of glibc's mallopt(3). */
const trimThreshold = -1;
const mmapThreshold = -3;
const arenaMax = -8;

const largeBlockSize = 256 * 1024;
const arenas = 2;
const trimPeriodMs = 5 * secondMs;

/**
 * Makes the C allocator and the collector give memory back, until disposed. A backup turns over gigabytes
 * in buffers of half a megabyte and more on several threads; by default glibc keeps what was freed in an
 * arena for each thread, and starting up leaves the collector with twice what is used afterwards. Without
 * this the process stays several times as large as what it needs.
 */
export function boundMemory(): Disposable {
  const trim = tuneAllocator();
  collect();
  trim();
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
    mallopt(mmapThreshold, largeBlockSize);
    mallopt(trimThreshold, 4 * largeBlockSize);
    const mallocTrim = libc.func('int malloc_trim(size_t pad)');
    return () => {
      mallocTrim(0);
    };
  } catch {
    return () => {};
  }
}

function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options?: { type: 'major' }) => void;
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major' });
}
