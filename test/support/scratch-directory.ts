import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory of its own for one test, removed with all below when the test lets go. */
export function scratchDirectory(): { readonly path: string } & AsyncDisposable {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  return {
    path,
    // fs.rm fails below PATH_MAX; nothing that a test may have mounted here is emptied.
    [Symbol.asyncDispose]: async () => {
      execFileSync('rm', ['-rf', '--one-file-system', path]);
    },
  };
}
