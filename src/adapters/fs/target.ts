import { mkdirSync } from 'node:fs';
import { printable } from '../../base/bytes.ts';
import type { RestoreTarget } from '../../ports/target.ts';
import { DirectoryHandle } from './directory-handle.ts';
import { PartialNames } from './partial-names.ts';
import { SmallFileWriter } from './small-file-writer.ts';
import { systemError } from './system-error.ts';
import { bareTargetPath, checkTarget, type TargetOptions } from './target-check.ts';
import { FsTargetDirectory, openMode } from './target-directory.ts';

/**
 * Opens the directory at an absolute path for a restore and creates it, with those above it, if it is missing.
 * @throws HoldfastError unsafe-target | io-error | disk-full
 */
export async function openTarget(path: Uint8Array, options: TargetOptions): Promise<RestoreTarget> {
  checkTarget(path, options);
  const bare = bareTargetPath(path);
  let handle: DirectoryHandle | undefined;
  const smallFiles = new SmallFileWriter();
  try {
    mkdirSync(bare, { recursive: true, mode: openMode });
    handle = DirectoryHandle.open(bare, { followLast: false });
    const root = await FsTargetDirectory.resume(handle, {
      partials: new PartialNames(),
      smallFiles,
    });
    const close = async (): Promise<void> => {
      await smallFiles[Symbol.asyncDispose]();
      await root[Symbol.asyncDispose]();
    };
    return { root, [Symbol.asyncDispose]: close };
  } catch (error) {
    handle?.close();
    throw systemError(error, `open the restore target ${printable(bare)}`);
  }
}
