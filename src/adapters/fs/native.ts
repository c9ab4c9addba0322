import { createRequire } from 'node:module';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { assert } from '../../base/assert.ts';

// What node:fs lacks: extended attributes, nanosecond times, device nodes, data extents. Nothing here follows a
// link in the last component. Paths are bytes, since Linux names need not be UTF-8. Times and device numbers are
// laid out as 64-bit little-endian glibc and musl want them (x86-64, arm64).

type Libc = {
  readonly llistxattr: (path: Uint8Array, list: Uint8Array, size: number) => number;
  readonly lgetxattr: (
    path: Uint8Array,
    name: Uint8Array,
    value: Uint8Array,
    size: number,
  ) => number;
  readonly flistxattr: (fd: number, list: Uint8Array, size: number) => number;
  readonly fgetxattr: (fd: number, name: Uint8Array, value: Uint8Array, size: number) => number;
  readonly lsetxattr: (
    path: Uint8Array,
    name: Uint8Array,
    value: Uint8Array,
    size: number,
    flags: number,
  ) => number;
  readonly lremovexattr: (path: Uint8Array, name: Uint8Array) => number;
  readonly utimensat: (
    directory: number,
    path: Uint8Array,
    times: Uint8Array,
    flags: number,
  ) => number;
  readonly futimens: (fd: number, times: Uint8Array) => number;
  readonly mknod: (path: Uint8Array, mode: number, device: bigint) => number;
  readonly lseek: (fd: number, offset: number, whence: number) => number;
  readonly errno: () => number;
};

/** A libc call that failed; `code` reads as those of node:fs ('ENOENT'), so one mapping serves both. */
export class NativeError extends Error {
  override readonly name = 'NativeError';
  readonly code: string;
  readonly syscall: string;

  constructor(syscall: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${code}: ${getSystemErrorMessage(-errno)}, ${syscall}`);
    this.code = code;
    this.syscall = syscall;
  }
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux, and PATH_MAX. */
const xattrSizeMax = 65536;
const pathSizeMax = 4096;

let loaded: Libc | undefined;

function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  assert(process.platform === 'linux', 'the file adapters need Linux');
  // Loaded on first use: commands that touch no files must not pay for it.
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = openLibc(koffi);
  return {
    llistxattr: library.func('int64 llistxattr(const void *path, void *list, size_t size)'),
    lgetxattr: library.func(
      'int64 lgetxattr(const void *path, const void *name, void *value, size_t size)',
    ),
    flistxattr: library.func('int64 flistxattr(int fd, void *list, size_t size)'),
    fgetxattr: library.func('int64 fgetxattr(int fd, const void *name, void *value, size_t size)'),
    lsetxattr: library.func(
      'int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)',
    ),
    lremovexattr: library.func('int lremovexattr(const void *path, const void *name)'),
    utimensat: library.func(
      'int utimensat(int directory, const void *path, const void *times, int flags)',
    ),
    futimens: library.func('int futimens(int fd, const void *times)'),
    mknod: mknodOf(library),
    lseek: library.func('int64 lseek(int fd, int64 offset, int whence)'),
    errno: () => koffi.errno(),
  };
}

type Library = ReturnType<typeof import('koffi')['load']>;

function openLibc(koffi: typeof import('koffi')): Library {
  try {
    return koffi.load('libc.so.6');
  } catch {
    return koffi.load(`libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`);
  }
}

// glibc before 2.33 exports mknod only as __xmknod, which takes the device by reference.
function mknodOf(library: Library): Libc['mknod'] {
  try {
    return library.func('int mknod(const void *path, uint32 mode, uint64 device)');
  } catch {
    const xmknod = library.func(
      'int __xmknod(int version, const void *path, uint32 mode, const void *device)',
    );
    return (path, mode, device) => {
      const reference = Buffer.alloc(8);
      reference.writeBigUInt64LE(device);
      return xmknod(0, path, mode, reference) as number;
    };
  }
}

// One buffer per kind of argument and thread: calls are synchronous, so nothing overlaps.
const pathScratch = Buffer.alloc(pathSizeMax);
const nameScratch = Buffer.alloc(256);
const valueScratch = Buffer.alloc(xattrSizeMax);
const timesScratch = Buffer.alloc(32);

function terminated(bytes: Uint8Array, scratch: Buffer, syscall: string): Buffer {
  if (bytes.length >= scratch.length) throw new NativeError(syscall, ENAMETOOLONG);
  if (bytes.includes(0)) throw new NativeError(syscall, EINVAL);
  scratch.set(bytes);
  scratch[bytes.length] = 0;
  return scratch;
}

const ENXIO = 6;
const EINVAL = 22;
const ENAMETOOLONG = 36;

/** Names of the extended attributes, in the order of the file system. @throws NativeError */
export function listXattrs(path: Uint8Array): Buffer[] {
  const { llistxattr, errno } = libc();
  const size = llistxattr(terminated(path, pathScratch, 'llistxattr'), valueScratch, xattrSizeMax);
  if (size < 0) throw new NativeError('llistxattr', errno());
  return namesListed(size);
}

/** The same of an open file. @throws NativeError */
export function listXattrsOf(fd: number): Buffer[] {
  const { flistxattr, errno } = libc();
  const size = flistxattr(fd, valueScratch, xattrSizeMax);
  if (size < 0) throw new NativeError('flistxattr', errno());
  return namesListed(size);
}

function namesListed(size: number): Buffer[] {
  const names: Buffer[] = [];
  for (let start = 0; start < size; ) {
    const end = valueScratch.indexOf(0, start);
    names.push(Buffer.from(valueScratch.subarray(start, end)));
    start = end + 1;
  }
  return names;
}

/** The value of one extended attribute. @throws NativeError (ENODATA: no such attribute) */
export function getXattr(path: Uint8Array, name: Uint8Array): Buffer {
  const { lgetxattr, errno } = libc();
  const size = lgetxattr(
    terminated(path, pathScratch, 'lgetxattr'),
    terminated(name, nameScratch, 'lgetxattr'),
    valueScratch,
    xattrSizeMax,
  );
  if (size < 0) throw new NativeError('lgetxattr', errno());
  return Buffer.from(valueScratch.subarray(0, size));
}

/** The same of an open file. @throws NativeError (ENODATA: no such attribute) */
export function getXattrOf(fd: number, name: Uint8Array): Buffer {
  const { fgetxattr, errno } = libc();
  const terminatedName = terminated(name, nameScratch, 'fgetxattr');
  const size = fgetxattr(fd, terminatedName, valueScratch, xattrSizeMax);
  if (size < 0) throw new NativeError('fgetxattr', errno());
  return Buffer.from(valueScratch.subarray(0, size));
}

/** Creates or replaces one extended attribute. @throws NativeError */
export function setXattr(path: Uint8Array, name: Uint8Array, value: Uint8Array): void {
  const { lsetxattr, errno } = libc();
  const result = lsetxattr(
    terminated(path, pathScratch, 'lsetxattr'),
    terminated(name, nameScratch, 'lsetxattr'),
    value,
    value.length,
    0,
  );
  if (result !== 0) throw new NativeError('lsetxattr', errno());
}

/** Removes one extended attribute. @throws NativeError */
export function removeXattr(path: Uint8Array, name: Uint8Array): void {
  const { lremovexattr, errno } = libc();
  const result = lremovexattr(
    terminated(path, pathScratch, 'lremovexattr'),
    terminated(name, nameScratch, 'lremovexattr'),
  );
  if (result !== 0) throw new NativeError('lremovexattr', errno());
}

/** Sets both times, to the nanosecond: fs.utimes goes through a double and loses some 200 ns. @throws NativeError */
export function setTimes(path: Uint8Array, ns: bigint): void {
  const { utimensat, errno } = libc();
  fillTimes(ns);
  const terminatedPath = terminated(path, pathScratch, 'utimensat');
  const result = utimensat(AT_FDCWD, terminatedPath, timesScratch, AT_SYMLINK_NOFOLLOW);
  if (result !== 0) throw new NativeError('utimensat', errno());
}

/** The same of an open file or directory, without a walk along its path. @throws NativeError */
export function setTimesOf(fd: number, ns: bigint): void {
  const { futimens, errno } = libc();
  fillTimes(ns);
  if (futimens(fd, timesScratch) !== 0) throw new NativeError('futimens', errno());
}

function fillTimes(ns: bigint): void {
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = (ns - fraction) / 1_000_000_000n;
  for (const at of [0, 16]) {
    timesScratch.writeBigInt64LE(seconds, at);
    timesScratch.writeBigInt64LE(fraction, at + 8);
  }
}

/** Creates a FIFO, socket or device; `mode` as st_mode, reduced by the umask. @throws NativeError */
export function makeNode(path: Uint8Array, mode: number, device: bigint): void {
  const { mknod, errno } = libc();
  const result = mknod(terminated(path, pathScratch, 'mknod'), mode, device);
  if (result !== 0) throw new NativeError('mknod', errno());
}

/**
 * The next data at or after `offset`, as the file system knows it; undefined when only a hole follows.
 * @throws NativeError (EINVAL: the file system does not know)
 */
export function nextData(
  fd: number,
  offset: number,
): { readonly start: number; readonly end: number } | undefined {
  const { lseek, errno } = libc();
  const start = lseek(fd, offset, SEEK_DATA);
  if (start < 0) {
    const code = errno();
    if (code === ENXIO) return undefined;
    throw new NativeError('lseek', code);
  }
  const end = lseek(fd, start, SEEK_HOLE);
  // ENXIO here: truncated between the two calls.
  if (end < 0 && errno() === ENXIO) return undefined;
  if (end < 0) throw new NativeError('lseek', errno());
  return { start, end };
}
