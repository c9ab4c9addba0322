import type { LogState } from '../../src/core/protocol/log-view.ts';
import type { BackupCluster } from './backup-site.ts';

/** Everybody's control log says that this member of the cluster, and nobody else, was put out. */
export function expel({ sites }: BackupCluster, i: number): void {
  const agents = sites.map(({ agent }) => agent);
  const records = agents.map(({ agentKey: agent, descriptor }, at) => {
    const { name, site, region, transportKey: peer, roles } = descriptor;
    const known = { agent, peer, name, site, region, roles, invites: [], index: 0 };
    const taken = { revocations: [], isAbandoned: false };
    const expulsion = { generation: 0, index: 9, authors: [], timeMs: 0, reason: '', evidence: [] };
    return { ...known, ...taken, expulsion: at === i ? expulsion : undefined };
  });
  const record = (key: string) => records.find(({ agent }) => agent === key);
  const of = (key: string) => {
    const found = record(key);
    return found?.expulsion === undefined ? found : undefined;
  };
  for (const [at, { ledger }] of sites.entries()) {
    if (at === i) continue;
    const { operators, operatorThreshold: threshold } = ledger.roster.genesis;
    const state = {
      operators: { current: { version: 1, base: 0, threshold, operators }, history: [] },
      members: { revision: 2, of, record },
      anchors: { of: () => undefined },
    };
    ledger.roster.adoptLog(state as unknown as LogState);
  }
}
