import { Ledger } from '../../src/services/ledger.ts';
import { Pace } from '../../src/services/pace.ts';
import { PackPlacer } from '../../src/services/pack-placer.ts';
import { BadPacks } from '../../src/services/repair/bad-packs.ts';
import { Challenger } from '../../src/services/repair/challenger.ts';
import { RepairKeeper } from '../../src/services/repair/repair-keeper.ts';
import { RepairReads } from '../../src/services/repair/repair-reads.ts';
import { RepairView } from '../../src/services/repair/repair-view.ts';
import { readScrub, Scrub } from '../../src/services/repair/scrub.ts';
import { ShardRebuilder } from '../../src/services/repair/shard-rebuilder.ts';
import { StoragePeer } from '../../src/services/storage-peer.ts';
import type { MutantBuild } from '../raft/mutants-build.ts';

/** What hosts are made of: shipped, or a copy with a bug in it. */
export type YearParts = {
  readonly BadPacks: typeof BadPacks;
  readonly Challenger: typeof Challenger;
  readonly Ledger: typeof Ledger;
  readonly Pace: typeof Pace;
  readonly PackPlacer: typeof PackPlacer;
  readonly RepairKeeper: typeof RepairKeeper;
  readonly RepairReads: typeof RepairReads;
  readonly RepairView: typeof RepairView;
  readonly Scrub: typeof Scrub;
  readonly ShardRebuilder: typeof ShardRebuilder;
  readonly StoragePeer: typeof StoragePeer;
  readonly readScrub: typeof readScrub;
};

export const shippedParts: YearParts = {
  BadPacks,
  Challenger,
  Ledger,
  Pace,
  PackPlacer,
  RepairKeeper,
  RepairReads,
  RepairView,
  Scrub,
  ShardRebuilder,
  StoragePeer,
  readScrub,
};

const files: Readonly<Record<keyof YearParts, string>> = {
  BadPacks: 'services/repair/bad-packs.ts',
  Challenger: 'services/repair/challenger.ts',
  Ledger: 'services/ledger.ts',
  Pace: 'services/pace.ts',
  PackPlacer: 'services/pack-placer.ts',
  RepairKeeper: 'services/repair/repair-keeper.ts',
  RepairReads: 'services/repair/repair-reads.ts',
  RepairView: 'services/repair/repair-view.ts',
  Scrub: 'services/repair/scrub.ts',
  ShardRebuilder: 'services/repair/shard-rebuilder.ts',
  StoragePeer: 'services/storage-peer.ts',
  readScrub: 'services/repair/scrub.ts',
};

/** Folders of src that a mutant's copy takes. */
export const partsFolders = ['base', 'core', 'ports', 'services'] as const;

export async function partsOf(build: MutantBuild): Promise<YearParts> {
  const parts: Record<string, unknown> = {};
  for (const [name, file] of Object.entries(files)) {
    const module = await build.load<Record<string, unknown>>(file);
    parts[name] = module[name];
  }
  return parts as YearParts;
}
