import { Agent } from '../../src/agent/agent.ts';
import { limits } from '../../src/core/limits.ts';
import { DurabilityView } from '../../src/services/durability-view.ts';
import { joinCluster } from '../../src/services/join.ts';
import { KeyRing } from '../../src/services/keys/key-ring.ts';
import { Ledger } from '../../src/services/ledger.ts';
import { Peers } from '../../src/services/peers.ts';
import { restoreSnapshot } from '../../src/services/restore.ts';
import { SnapshotSession } from '../../src/services/snapshot-session.ts';
import { Sync } from '../../src/services/sync.ts';
import type { MutantBuild } from '../raft/mutants-build.ts';
import { type ComputeParts, shippedCompute } from './compute.ts';
import { makeSmall } from './small-limits.ts';

/** What hosts are made of: shipped, or a copy with a bug in it. */
export type DataParts = ComputeParts & {
  readonly Agent: typeof Agent;
  readonly DurabilityView: typeof DurabilityView;
  readonly joinCluster: typeof joinCluster;
  readonly KeyRing: typeof KeyRing;
  readonly Ledger: typeof Ledger;
  readonly Peers: typeof Peers;
  readonly restoreSnapshot: typeof restoreSnapshot;
  readonly SnapshotSession: typeof SnapshotSession;
  readonly Sync: typeof Sync;
};

makeSmall(limits);

export const shippedParts: DataParts = {
  ...shippedCompute,
  Agent,
  DurabilityView,
  joinCluster,
  KeyRing,
  Ledger,
  Peers,
  restoreSnapshot,
  SnapshotSession,
  Sync,
};

/** Folders of src that such a copy takes. */
export const partsFolders = ['base', 'core', 'ports', 'services', 'agent'] as const;

const files: Readonly<Record<keyof DataParts, string>> = {
  encodePack: 'core/coding/pack-coding.ts',
  reconstruct: 'core/coding/reed-solomon.ts',
  openFrame: 'core/format/frame.ts',
  sealFrame: 'core/format/frame.ts',
  Agent: 'agent/agent.ts',
  DurabilityView: 'services/durability-view.ts',
  joinCluster: 'services/join.ts',
  KeyRing: 'services/keys/key-ring.ts',
  Ledger: 'services/ledger.ts',
  Peers: 'services/peers.ts',
  restoreSnapshot: 'services/restore.ts',
  SnapshotSession: 'services/snapshot-session.ts',
  Sync: 'services/sync.ts',
};

export async function partsOf(build: MutantBuild): Promise<DataParts> {
  const own = await build.load<{ limits: typeof limits }>('core/limits.ts');
  makeSmall(own.limits);
  const parts: Record<string, unknown> = {};
  for (const [name, file] of Object.entries(files)) {
    const module = await build.load<Record<string, unknown>>(file);
    parts[name] = module[name];
  }
  return parts as DataParts;
}
