import { expect, test } from 'vitest';
import { PackPlacer } from '../../../src/services/pack-placer.ts';
import { BackupCluster, type BackupSite, home, writtenPack } from '../../support/backup-site.ts';

test('a site whose receipts count for nothing gets a copy only when no other site is left', async () => {
  await using cluster = await BackupCluster.open(3, { surviveSites: 1 });
  const [own, frozen] = cluster.sites as [BackupSite, BackupSite, BackupSite];
  const { ledger, peers } = own;
  const self = own.agent.agentKey;
  const placer = new PackPlacer({
    ledger,
    self,
    peers,
    of: { dataset: home.id, writer: self },
    ownFreeBytes: () => 1,
  });
  const isFrozen = ledger.isFrozen.bind(ledger);
  ledger.isFrozen = (writer, stream) =>
    writer === frozen.agent.agentKey || isFrozen(writer, stream);
  for (let seed = 1; seed <= 8; seed++) {
    const pack = await writtenPack(seed, { k: 1, m: 0 });
    const data = { ...pack, entry: { ...pack.entry, type: 'data' } } as const;
    const sitesOf = (sites: number): string[] =>
      placer.assign(data, { k: 1, m: 0, sites, survives: 1 }).map(({ site }) => site);
    expect(sitesOf(2).sort()).toEqual(['site-0', 'site-2']);
    expect(sitesOf(3).at(-1)).toBe('site-1');
  }
});
