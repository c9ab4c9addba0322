import { equal, printable } from '../base/bytes.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import type { Source } from '../ports/source.ts';

/** True when something is at an absolute, normalised path. */
export async function pathExists(source: Source, path: Uint8Array): Promise<boolean> {
  const name = path.subarray(path.lastIndexOf(0x2f) + 1);
  if (name.length === 0) return true;
  try {
    await using directory = await source.open(path);
    return (await directory.list()).some((entry) => equal(entry.name, name));
  } catch (error) {
    if (codeOf(error) === 'not-found') return false;
    throw error;
  }
}

/** A mistyped path must not found a dataset that then shows as never backed up. @throws HoldfastError not-found */
export async function requireSomePath(source: Source, paths: readonly Uint8Array[]): Promise<void> {
  for (const path of paths) if (await pathExists(source, path)) return;
  const names = paths.map((path) => printable(path)).join(', ');
  throw new HoldfastError('not-found', `nothing to back up: ${names} not found`);
}
