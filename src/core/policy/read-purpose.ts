import type { CommandHash, PlanHash } from '../format/control-records.ts';

/**
 * Why a member reads shards of others. What can be verified against the control log is, by whoever serves it;
 * everything is counted. Without a purpose a member reads a little, its own metadata packs, and what it is offered.
 */
export type ReadPurpose =
  /** Shards of a pack, to rebuild one that was lost; or a copy of a metadata pack. */
  | { readonly kind: 'repair' }
  /** A few leaves, to see whether they are there. */
  | { readonly kind: 'audit' }
  /** The keys of a plan's run were granted to the reader. */
  | {
      readonly kind: 'plan';
      readonly plan: PlanHash;
      readonly run: number;
      readonly sinceIndex: number;
    }
  /** A restore grant, which the reader uses; or an approved request, whose keys it reseals. */
  | {
      readonly kind: 'grant' | 'reseal';
      readonly request: CommandHash;
      readonly sinceIndex: number;
    };
