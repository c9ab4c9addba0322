import type { DataChecker, DataSeen, Snapshot } from '../observation.ts';

/** What a restore leaves is what was there, entry by entry; what is missing has been named. */
export class Faithful implements DataChecker {
  readonly name = 'faithful';

  observe(seen: DataSeen): string | undefined {
    if (seen.kind !== 'restored') return undefined;
    const { snapshot, restored, isOwed } = seen;
    const { target, problems, refusal } = restored;
    const id = snapshot.hash.slice(0, 8);
    if (isOwed && refusal !== undefined) return `${id} is owed and refused: ${refusal.message}`;
    const [problem] = problems;
    if (isOwed && problem !== undefined) return `${id} is owed, and lost: ${problem.join(': ')}`;
    for (const [path, face] of target.faces) {
      const text = wrongFace(snapshot, path, face);
      if (text !== undefined) return `${id}: ${text}`;
    }
    if (refusal !== undefined) return undefined;
    for (const [path, faces] of snapshot.faces) {
      const mayBeMissing =
        faces.has(undefined) ||
        isNamed(path, problems.keys()) ||
        isNamed(path, snapshot.problems.keys());
      if (path.startsWith('/') && !target.faces.has(path) && !mayBeMissing) {
        return `${id}: ${path} is missing, and nobody says so`;
      }
    }
    return undefined;
  }
}

function wrongFace(snapshot: Snapshot, path: string, face: string): string | undefined {
  const allowed = snapshot.faces.get(path);
  if (allowed?.has(face) === true || isNamed(path, snapshot.problems.keys())) return undefined;
  if (allowed === undefined) return `${path} was never there`;
  return `${path} is restored as [${face}], and was [${[...allowed].join('] or [')}]`;
}

/** It, or a directory that it lies in. */
function isNamed(path: string, problems: Iterable<string>): boolean {
  for (const problem of problems) {
    if (problem === '/' || path === problem || path.startsWith(`${problem}/`)) return true;
  }
  return false;
}
