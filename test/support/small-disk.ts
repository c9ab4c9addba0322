import { execFileSync } from 'node:child_process';
import { scratchDirectory } from './scratch-directory.ts';

/** Whether this process may mount; a test that needs a small disk is skipped elsewhere, and says so. */
export function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return process.getuid?.() === 0;
  } catch {
    console.warn('skipped: tests of a full disk need the right to mount a tmpfs');
    return false;
  }
}

/** A file system of `size` (as mount takes it) at `path`, gone with the test. */
export function smallDisk(size: string): { readonly path: string } & AsyncDisposable {
  const scratch = scratchDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', scratch.path]);
  return {
    path: scratch.path,
    [Symbol.asyncDispose]: async () => {
      execFileSync('umount', ['--lazy', scratch.path]);
      await scratch[Symbol.asyncDispose]();
    },
  };
}
