import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { HoldfastError } from '../../core/errors.ts';
import { systemError } from './system-error.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = 11;

/**
 * Locks a file exclusively and writes this process's id into it. The kernel drops the lock with the process,
 * however that ends (flock(2)); a bare file with a pid would outlive a SIGKILL.
 * @throws HoldfastError state-in-use, naming the process that holds the lock
 */
export function lockFile(path: string): AsyncDisposable {
  // A plain descriptor: a FileHandle that nobody refers to is closed by the garbage collector, lock and all.
  const fd = openLock(path);
  try {
    const errno = flock(fd, LOCK_EX | LOCK_NB);
    if (errno === EWOULDBLOCK) throw inUse(path, readFileSync(fd, 'utf8').trim());
    if (errno !== 0) throw new HoldfastError('io-error', `cannot lock ${path} (errno ${errno})`);
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { [Symbol.asyncDispose]: async () => closeSync(fd) };
}

function openLock(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  try {
    return openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  } catch (error) {
    throw systemError(error, `open ${path}`);
  }
}

function inUse(path: string, pid: string): HoldfastError {
  const owner = /^\d+$/.test(pid) ? `process ${pid}` : 'another process';
  return new HoldfastError('state-in-use', `${owner} is using this state directory`, {
    next: 'stop that agent, or name another state directory with --state',
    details: { path, pid },
  });
}

type Flock = {
  readonly call: (fd: number, operation: number) => number;
  readonly errno: () => number;
};

let loaded: Flock | undefined;

/** @returns 0, or the errno. */
function flock(fd: number, operation: number): number {
  loaded ??= load();
  return loaded.call(fd, operation) === 0 ? 0 : loaded.errno();
}

function load(): Flock {
  // Loaded on first use: commands that lock nothing must not pay for it.
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  // null: the C library that Node itself is linked to, whatever its name.
  const call = koffi.load(null).func('int flock(int fd, int operation)');
  return { call: (fd, operation) => call(fd, operation) as number, errno: () => koffi.errno() };
}
