import { cpSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestStream, type StatementBody } from '../../src/core/format/statement.ts';
import {
  type ClusterId,
  type DatasetId,
  idOf,
  type PeerKey,
  type StatementHash,
} from '../../src/core/ids.ts';
import { Cluster, threeSites, until } from '../support/cluster.ts';
import { auditAt } from '../support/heard.ts';
import { Thief } from '../support/thief.ts';

const cluster = new Cluster();
const [founder, source, other] = ['ams1', 'nyc1', 'sin1'] as const;
const tree = join(cluster.root, 'source');
/** The state directory of the source as it was after its first snapshot. */
const earlier = join(cluster.root, 'earlier');
let dataset: DatasetId;

async function backUp(name: string): Promise<void> {
  writeFileSync(join(tree, name), name);
  const outcome = await cluster.run(['backup', tree, '--json'], source);
  expect([0, 22], outcome.err).toContain(outcome.code);
}

beforeAll(async () => {
  mkdirSync(tree);
  await cluster.form(threeSites, { surviveSites: 1 });
  await backUp('first');
  dataset = (await cluster.api(founder).status()).datasets[0]?.id as DatasetId;
  await cluster.stop(source);
  cpSync(cluster.state(source), earlier, { recursive: true });
  await cluster.start(source);
  // At least what the copy has; each backup adds an entry.
  const auditSize = (await cluster.api(source).auditHead()).size;
  await cluster.untilConnected();
  for (const name of ['second', 'third']) await backUp(name);
  await until('others remember more of its audit log than the copy has', 180_000, async () => {
    const { members } = await cluster.api(source).verifyAudit();
    return members.some(({ name, size }) => name === founder && size > auditSize);
  });
}, 600_000);

afterAll(() => cluster[Symbol.asyncDispose]());

async function kindsAt(site: string): Promise<string[]> {
  return (await auditAt(cluster, site, 'alarm')).map(({ action }) => action);
}

describe('a source whose state directory is an earlier copy', () => {
  it('learns what it has said since, tells of it, and goes on from there', async () => {
    await cluster.stop(source);
    renameSync(cluster.state(source), join(cluster.root, 'put aside'));
    cpSync(earlier, cluster.state(source), { recursive: true });
    await cluster.start(source);
    await cluster.untilConnected();
    await until('it has found out', 180_000, async () => {
      return (await kindsAt(source)).includes('lost-state');
    });
    await backUp('fourth');
    const snapshots = await cluster.snapshots(founder);
    expect(snapshots.map(({ id }) => id)).toHaveLength(4);
  });

  it('is found by its audit log, which is shorter than others remember: exit code 23', async () => {
    await until('others have proof', 180_000, async () => {
      return (await kindsAt(founder)).includes('audit-tampered');
    });
    await cluster.expect(23, ['audit', 'verify'], source);
    await cluster.expect(23, ['audit', 'verify'], founder);
  });
});

describe('a clone of a source', () => {
  it('is found with proof by all others, and nothing of that writer expires', async () => {
    await cluster.stop(source);
    const { clusterId } = await cluster.api(founder).identity();
    await using clone = await Thief.take(earlier, clusterId as ClusterId);
    const stream = manifestStream(dataset);
    const { statement, hash } = clone.newest(stream);
    const body = statement.body as Extract<StatementBody, { kind: 'manifest' }>;
    const next = { sequence: body.sequence + 1, previous: idOf<StatementHash>(hash) };
    clone.sign({ ...body, ...next, tags: ['clone'] });
    for (const site of [founder, other]) {
      const { peerKey, addresses } = await cluster.api(site).identity();
      await clone.network.connect(peerKey as PeerKey, addresses);
    }
    for (const site of [founder, other]) {
      await until(`${site} has the proof`, 180_000, async () => {
        return (await kindsAt(site)).includes('two-histories');
      });
    }
    const status = await cluster.expect(23, ['status'], founder);
    await cluster.expect(23, ['check', '--dataset', source], founder);
    expect(status.out).toMatch(new RegExp(`${source} has signed two histories`));
    const shown = await cluster.expect(0, ['dataset', 'show', source], founder);
    expect(shown.out).toMatch(/FROZEN +nyc1 has signed two histories/);
    await expectNothingExpires();
  });

  /** By this rule the second snapshot would go at once. */
  async function expectNothingExpires(): Promise<void> {
    const policy = join(cluster.root, 'policy.json');
    writeFileSync(
      policy,
      JSON.stringify({ datasets: [{ match: '*', retention: { keepLast: 1 } }] }),
    );
    await cluster.expect(0, ['policy', 'propose', policy], founder);
    const [judged] = await cluster.api(founder).retention({});
    expect(
      judged?.snapshots.some(({ isKept }) => !isKept),
      'the rule lets something go',
    ).toBe(true);
    expect(judged?.haltedBecause).toBe('its writer has signed two histories');
    const leader = (await cluster.api(founder).coordinator()).leader ?? founder;
    const [proposed] = await cluster.api(leader).proposeExpiry({});
    expect(proposed).toMatchObject({ snapshots: 0, reason: judged?.haltedBecause });
    const snapshots = await cluster.snapshots(founder);
    expect(snapshots.every(({ keeping }) => keeping?.stage === 'live')).toBe(true);
  }
});
