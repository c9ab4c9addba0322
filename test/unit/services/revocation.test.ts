import { afterEach, beforeEach, expect, test } from 'vitest';
import { clusterStream } from '../../../src/core/format/statement.ts';
import { equal } from '../../../src/base/bytes.ts';
import { idBytes } from '../../../src/core/ids.ts';
import { limits } from '../../../src/core/limits.ts';
import { termsOf } from '../../../src/core/policy/policy-terms.ts';
import type { LogState } from '../../../src/core/protocol/log-view.ts';
import type { Network, PullReply, PullRequest } from '../../../src/ports/network.ts';
import { StoragePeer } from '../../../src/services/storage-peer.ts';
import { BackupCluster, type BackupSite } from '../../support/backup-site.ts';
import { sampleDataset } from '../../support/sample-cluster.ts';
import { type SampleShard, samplePack } from '../../support/sample-pack.ts';

let cluster: BackupCluster;
let source: BackupSite;
let site: BackupSite;
let shard: SampleShard;

beforeEach(async () => {
  cluster = await BackupCluster.open(2);
  [source, site] = cluster.sites as [BackupSite, BackupSite];
  const [{ head, bytes }] = samplePack({ seed: 7, packSize: 6_000_000 }) as [SampleShard];
  shard = { head: { ...head, writer: source.agent.agentKey }, bytes };
});

afterEach(() => cluster[Symbol.asyncDispose]());

/** The storage side at the second site; `onPull` runs before each part is sent. */
function storage(onPull: (count: number) => void = () => {}): StoragePeer {
  let count = 0;
  const pull = async (_: unknown, request: PullRequest): Promise<PullReply> => {
    onPull(++count);
    expect(equal(idBytes(shard.head.pack), request.pack)).toBe(true);
    const start = request.leaf * limits.leafSize;
    return { bytes: shard.bytes.slice(start, start + request.count * limits.leafSize) };
  };
  const { ledger, facts, logger: log, shards } = site;
  const network = { pull } as Partial<Network> as Network;
  return new StoragePeer({
    ...{ network, ledger, facts, log, store: shards.store },
    isDiscarded: () => false,
  });
}

/** What the control log says once operators have taken this role. */
function withoutRole(role: 'source'): LogState {
  const { descriptor, agentKey: agent } = source.agent;
  const { name, site: place, region, transportKey: peer } = descriptor;
  const roles = descriptor.roles.filter((one) => one !== role);
  const known = { agent, peer, name, site: place, region, roles, invites: [] };
  const untouched = { revocations: [{ role }], isAbandoned: false, expulsion: undefined };
  const member = { ...known, index: 0, ...untouched };
  const of = (key: string) => (key === agent ? member : undefined);
  const { genesis } = site.ledger.roster;
  const { operators, operatorThreshold: threshold } = genesis;
  return {
    operators: { current: { version: 1, base: 0, threshold, operators }, history: [] },
    members: { revision: 2, of, record: of },
    anchors: { of: () => undefined },
  } as unknown as LogState;
}

test('a source that loses its role delivers nothing more, also in the middle of a shard', async () => {
  const peer = storage((count) => {
    if (count === 2) site.ledger.roster.adoptLog(withoutRole('source'));
  });
  await expect(peer.take(source.network.self, shard.head)).rejects.toMatchObject({
    code: 'not-permitted',
  });
  expect(site.shards.store.indexes(shard.head.pack)).toEqual([]);
});

test('a peer outside the regions of the policy refuses, and says why', async () => {
  const dataset = sampleDataset('db', { id: shard.head.dataset });
  const { envelope } = await source.ledger.append(clusterStream, dataset);
  await site.ledger.ingest(envelope);
  const adopt = (version: number, region: string): void => {
    const document = { datasets: [{ match: 'db', regions: [region] }] };
    site.ledger.roster.adoptPolicy({ version, ...termsOf(document, 1) });
  };
  adopt(2, 'mars-*');
  const offer = storage().take(source.network.self, shard.head);
  await expect(offer).rejects.toThrow(/the policy keeps dataset db in mars-\*, and .* is in/);
  adopt(3, '*');
  expect(await storage().take(source.network.self, shard.head)).toEqual({ hadIt: false });
});
