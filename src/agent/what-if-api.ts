import { HoldfastError } from '../core/errors.ts';
import type { AgentKey } from '../core/ids.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import type { Agent } from './agent.ts';
import type { WhatIfApi, WhatIfReport } from './what-if-types.ts';

export function whatIfApi(agent: Agent): WhatIfApi {
  return { whatIf: ({ lost }) => whatIf(agent, lost) };
}

async function whatIf(agent: Agent, lost: readonly string[]): Promise<WhatIfReport[]> {
  const { ledger, status } = agent;
  const known = ledger.roster.sites().map(({ site }) => site);
  for (const site of lost) {
    if (known.includes(site)) continue;
    const next = `one of ${known.join(', ')}`;
    throw new HoldfastError('not-found', `no site is called ${JSON.stringify(site)}`, { next });
  }
  const counts = (key: AgentKey): boolean => {
    const site = ledger.roster.member(key)?.site;
    return status.isReachable(key) && site !== undefined && !lost.includes(site);
  };
  const reports: WhatIfReport[] = [];
  for (const { dataset, newest } of await status.datasets()) {
    const { name, id, writer } = dataset;
    const judged =
      newest === undefined ? {} : { newest: await judge(agent, newest.record, counts) };
    reports.push({ dataset: name, datasetId: id, source: agent.nameOf(writer), ...judged });
  }
  return reports;
}

async function judge(
  agent: Agent,
  record: ManifestRecord,
  counts: (key: AgentKey) => boolean,
): Promise<NonNullable<WhatIfReport['newest']>> {
  const { isRecoverable, sitesMayFail, lostPacks, packs } = await agent.view.assess(record, counts);
  const held = new Map<string, Set<number>>();
  for (const { site, masks } of await agent.view.holdings(record)) {
    const packsAt = held.get(site) ?? new Set();
    held.set(site, packsAt);
    for (const [i, mask] of masks.entries()) if (mask !== 0) packsAt.add(i);
  }
  return {
    snapshot: record.hash,
    isRestorable: isRecoverable,
    sitesMayFail,
    packs: packs.length,
    lostPacks,
    holders: [...held]
      .map(([site, { size }]) => ({ site, packs: size }))
      .sort((a, b) => a.site.localeCompare(b.site)),
  };
}
