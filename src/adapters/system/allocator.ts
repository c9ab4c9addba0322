import koffi from 'koffi';

/** Parameters of glibc's mallopt(3). */
const trimThreshold = -1;
const mmapThreshold = -3;
const arenaMax = -8;

const largeBlockSize = 256 * 1024;
const arenas = 2;

/**
 * Makes the C allocator give memory back. A backup turns over gigabytes in buffers of half a megabyte and
 * more on several threads; by default glibc keeps what was freed in an arena for each thread, and the
 * process stays several times as large as what it uses. No effect where the C library is another.
 */
export function boundAllocator(): void {
  try {
    const mallopt = koffi.load('libc.so.6').func('int mallopt(int parameter, int value)');
    mallopt(arenaMax, arenas);
    mallopt(mmapThreshold, largeBlockSize);
    mallopt(trimThreshold, 4 * largeBlockSize);
  } catch {
    // Memory is then bounded all the same, only less tightly.
  }
}
