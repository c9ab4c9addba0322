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
  throw nothingToBackUp(paths);
}

/** None of the paths is there. */
export function nothingToBackUp(paths: readonly Uint8Array[]): HoldfastError {
  const names = paths.map((path) => printable(path)).join(', ');
  return new HoldfastError('not-found', `nothing to back up: ${names} not found`, {
    next: "name what is on the agent's host: holdfast backup PATH",
  });
}
