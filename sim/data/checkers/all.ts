import type { DataChecker } from '../observation.ts';
import { Bounded } from './bounded.ts';
import { Converged } from './converged.ts';
import { Delivered } from './delivered.ts';
import { Faithful } from './faithful.ts';
import { FullCopies } from './full-copies.ts';
import { HonestView } from './honest-view.ts';
import { Kept } from './kept.ts';
import { NoRollback } from './no-rollback.ts';
import { OneShardASite } from './one-shard-a-site.ts';
import { Restorable } from './restorable.ts';
import { TrueReceipts } from './true-receipts.ts';

/**
 * One for each rule. Rules that are still to come (nothing locked is deleted before its time; nothing lies in
 * a region where it may not; retention is the same whatever a source says) are to be added here: `Kept` asks
 * `mayExpire`, and what has expired is no longer owed by `Restorable`.
 */
export function checkersOf(): readonly DataChecker[] {
  return [
    new Faithful(),
    new TrueReceipts(),
    new Kept(),
    new NoRollback(),
    new HonestView(),
    new Restorable(),
    new OneShardASite(),
    new Bounded(),
    new Converged(),
    new Delivered(),
    new FullCopies(),
  ];
}
