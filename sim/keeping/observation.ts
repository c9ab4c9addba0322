import type { SnapshotLock } from '../../src/ports/lock-ledger.ts';
import type { KeepingCluster } from './cluster.ts';
import type { Said } from './control.ts';
import type { Shard } from './disk.ts';
import type { KeepingHost } from './host.ts';

/** What checkers are told of, before it is done. */
export type KeepingSeen =
  | { readonly kind: 'discard' | 'purge'; readonly host: KeepingHost; readonly shard: Shard }
  | { readonly kind: 'lock'; readonly host: KeepingHost; readonly lock: SnapshotLock }
  | { readonly kind: 'jump' | 'thaw'; readonly host: KeepingHost }
  | { readonly kind: 'said'; readonly said: Said };

/** One rule. `settled`: after the end of all trouble. */
export type KeepingChecker = {
  readonly name: string;
  observe?(seen: KeepingSeen, cluster: KeepingCluster): string | undefined;
  look?(cluster: KeepingCluster): string | undefined;
  settled?(cluster: KeepingCluster): string | undefined;
};
