import { chmodSync, closeSync, constants, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { isSocketPathTooLong, pathThroughDirectory } from '../../base/socket-path.ts';
import { HoldfastError } from '../../core/errors.ts';

/**
 * Lets a server bind a socket file that only its owner may open. The file appears under its name when it
 * is ready and protected, and replaces what a dead agent left.
 * @throws HoldfastError state-in-use when an agent answers there.
 */
export async function bindSocketFile(
  path: string,
  bind: (address: string) => Promise<unknown>,
): Promise<AsyncDisposable> {
  const address = new SocketAddress(path);
  try {
    if (await isAnswered(address.of(basename(path)))) {
      throw new HoldfastError('state-in-use', `an agent already serves ${path}`, {
        next: 'holdfast status',
      });
    }
    const fresh = `${basename(path)}.${process.pid}`;
    rmSync(join(dirname(path), fresh), { force: true });
    await bind(address.of(fresh));
    chmodSync(join(dirname(path), fresh), 0o600);
    renameSync(join(dirname(path), fresh), path);
  } catch (error) {
    address.close();
    throw error;
  }
  const inode = statSync(path).ino;
  return {
    [Symbol.asyncDispose]: async () => {
      if (statSync(path, { throwIfNoEntry: false })?.ino === inode) rmSync(path, { force: true });
      address.close();
    },
  };
}

/** Names files of one directory for the kernel, through a descriptor where the path is too long. */
class SocketAddress {
  readonly #directory: string;
  readonly #fd: number | undefined;

  constructor(path: string) {
    this.#directory = dirname(path);
    // The name that is bound first is a few characters longer.
    this.#fd = isSocketPathTooLong(`${path}.${process.pid}`)
      ? openSync(this.#directory, constants.O_RDONLY | constants.O_DIRECTORY)
      : undefined;
  }

  of(name: string): string {
    return this.#fd === undefined
      ? join(this.#directory, name)
      : pathThroughDirectory(this.#fd, name);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

/** True when a process listens there; a file without one refuses the connection (unix(7)). */
async function isAnswered(address: string): Promise<boolean> {
  const socket = connect(address);
  return new Promise<boolean>((resolve, reject) => {
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const isNobody = ['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes(error.code ?? '');
      if (isNobody) resolve(false);
      else reject(error);
    });
  });
}
