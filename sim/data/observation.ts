import type { StatementHash } from '../../src/core/ids.ts';
import type { ManifestRecord, StatementEvent } from '../../src/services/ledger.ts';
import type { DataAgent } from './agent.ts';
import type { Restored } from './blank.ts';
import type { DataCluster } from './cluster.ts';
import type { Face } from './tree.ts';

/** A snapshot that a source has signed, and what is known of it from outside. */
export type Snapshot = {
  readonly hash: StatementHash;
  readonly record: ManifestRecord;
  readonly source: DataAgent;
  /** For each path of the source, what it may have looked like while the backup ran. */
  readonly faces: ReadonlyMap<string, ReadonlySet<Face | undefined>>;
  /** Paths that the backup has named as changed or vanished meanwhile. */
  readonly problems: ReadonlySet<string>;
  /** The most sites that an honest member has said may fail, while it called the snapshot committed. */
  stated: number | undefined;
};

export type DataSeen =
  | { readonly kind: 'started'; readonly agent: DataAgent }
  | { readonly kind: 'statement'; readonly agent: DataAgent; readonly event: StatementEvent }
  | {
      readonly kind: 'restored';
      readonly snapshot: Snapshot;
      readonly restored: Restored;
      /** Nothing has been wrong for a while, and enough is left: nothing may be missing. */
      readonly isOwed: boolean;
    };

/** One rule. It is asked about everything that happens, about all disks now and then, and once more at the end. */
export type DataChecker = {
  readonly name: string;
  observe?(seen: DataSeen, cluster: DataCluster): string | undefined;
  look?(cluster: DataCluster): Promise<string | undefined> | string | undefined;
  /** Everything is healed: what is still missing? It is asked until nothing is, or time is over. */
  settled?(cluster: DataCluster): Promise<string | undefined> | string | undefined;
};
