import type { AgentKey } from '../../core/ids.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { ShardHolder } from '../holder-history.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { SurveyedPack } from './pack-survey.ts';

export type PackHoldersOptions = {
  readonly ledger: Pick<Ledger, 'roster'>;
  readonly self: AgentKey;
  readonly peers: Pick<Peers, 'isReachable'>;
  readonly store: Pick<ShardStore, 'indexes'> | undefined;
};

/** Who can be asked for shards of a pack now: this host, and members that are there and have signed for some. */
export function holdersOf(
  { entry, words }: SurveyedPack,
  { ledger, self, peers, store }: PackHoldersOptions,
): ShardHolder[] {
  const site = ledger.roster.member(self)?.site ?? '';
  const own = (store?.indexes(entry.pack) ?? []).map(
    (index): ShardHolder => ({ peer: 'self', site, index }),
  );
  const others = [...words].flatMap(([agent, { mask = 0 }]): ShardHolder[] => {
    const member = ledger.roster.member(agent);
    if (member === undefined || agent === self || !peers.isReachable(member.peerKey)) return [];
    const indexes = Array.from({ length: entry.k + entry.m }, (_, index) => index);
    return indexes
      .filter((index) => ((mask >>> index) & 1) === 1)
      .map((index) => ({ peer: member.peerKey, site: member.site, index }));
  });
  return [...own, ...others];
}
