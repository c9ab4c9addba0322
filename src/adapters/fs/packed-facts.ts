import type { FileFacts } from '../../ports/source.ts';

// Facts of many files in one array of numbers: an object for each file would be cloned one by one on its way to
// another thread.

/** Numbers of one file. */
export const factsSize = 10;

export function putFacts(rows: BigInt64Array, at: number, facts: FileFacts): void {
  rows[at] = BigInt(facts.mode);
  rows[at + 1] = BigInt(facts.uid);
  rows[at + 2] = BigInt(facts.gid);
  rows[at + 3] = BigInt(facts.size);
  rows[at + 4] = BigInt(facts.linkCount);
  rows[at + 5] = facts.mtimeNs;
  rows[at + 6] = facts.ctimeNs;
  rows[at + 7] = facts.inode;
  rows[at + 8] = facts.device;
  rows[at + 9] = facts.rdev;
}

export function factsAt(rows: BigInt64Array, at: number): FileFacts {
  return {
    mode: Number(rows[at]),
    uid: Number(rows[at + 1]),
    gid: Number(rows[at + 2]),
    size: Number(rows[at + 3]),
    linkCount: Number(rows[at + 4]),
    mtimeNs: rows[at + 5] as bigint,
    ctimeNs: rows[at + 6] as bigint,
    // What the kernel says without a sign.
    inode: BigInt.asUintN(64, rows[at + 7] as bigint),
    device: BigInt.asUintN(64, rows[at + 8] as bigint),
    rdev: BigInt.asUintN(64, rows[at + 9] as bigint),
  };
}
