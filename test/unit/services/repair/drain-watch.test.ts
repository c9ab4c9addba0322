import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentKey } from '../../../../src/core/ids.ts';
import type { BackupsUnderWay } from '../../../../src/services/backups-under-way.ts';
import { DrainWatch } from '../../../../src/services/repair/drain-watch.ts';
import { everybodyStays } from '../../../../src/services/standing.ts';
import { BackupCluster, type BackupSite, signSnapshot } from '../../../support/backup-site.ts';

let cluster: BackupCluster;
let source: BackupSite;
let watch: DrainWatch;
let underWay: BackupsUnderWay;
const leaving = new Set<AgentKey>();
const standing = {
  ...everybodyStays,
  isLeaving: ({ agentKey }: { agentKey: AgentKey }) => leaving.has(agentKey),
};

/** Who leaves. */
function leaver(): AgentKey {
  return (cluster.sites[2] as BackupSite).agent.agentKey;
}

beforeEach(async () => {
  leaving.clear();
  cluster = await BackupCluster.open(3);
  source = cluster.sites[0] as BackupSite;
  const [first, second, third] = cluster.sites.map(watchAt) as [DrainWatch, DrainWatch, DrainWatch];
  for (const [i, one] of [first, third].entries())
    one.answer((cluster.sites[2 * i] as BackupSite).serve);
  watch = second;
  underWay = first.underWay;
});

afterEach(() => cluster[Symbol.asyncDispose]());

function watchAt({ ledger, peers, sync, agent }: BackupSite): DrainWatch {
  return new DrainWatch({ ledger, peers, sync, self: agent.agentKey, standing });
}

test('a drain waits for a backup elsewhere that began before it, and then knows its snapshot', async () => {
  const end = underWay.begin();
  leaving.add(leaver());
  expect(await watch.ask([leaver()])).toEqual({ backups: 1, unasked: [] });
  const { hash } = await signSnapshot(source, []);
  end();
  expect(await watch.ask([leaver()])).toEqual({ backups: 0, unasked: [] });
  expect((cluster.sites[1] as BackupSite).ledger.manifest(hash)).toBeDefined();
});

test('a source that does not know of the drain yet may place something there at any moment', async () => {
  // Each of the three is a source.
  expect(await watch.ask([leaver()])).toEqual({ backups: 3, unasked: [] });
  leaving.add(leaver());
  expect(await watch.ask([leaver()])).toEqual({ backups: 0, unasked: [] });
});

test('a source that cannot be asked is named', async () => {
  leaving.add(leaver());
  cluster.isolate(0);
  const name = source.ledger.roster.member(source.agent.agentKey)?.name;
  expect(await watch.ask([leaver()])).toEqual({ backups: 0, unasked: [name] });
});
