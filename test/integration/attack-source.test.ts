import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { dayMs, MiB } from '../../src/base/units.ts';
import type { ControlBody } from '../../src/core/format/control-records.ts';
import { shardHeadMessage } from '../../src/core/format/shard.ts';
import {
  encodeStatement,
  manifestStream,
  type StatementBody,
} from '../../src/core/format/statement.ts';
import {
  type AgentKey,
  type DatasetId,
  idOf,
  type PeerKey,
  type StatementHash,
} from '../../src/core/ids.ts';
import { ask } from '../support/acting-member.ts';
import { Cluster, pause, threeSites, until } from '../support/cluster.ts';
import { alarmsIn, auditAt } from '../support/heard.ts';
import { filesBelow, packSecrets } from '../support/pack-secrets.ts';
import { samplePack } from '../support/sample-pack.ts';
import { Thief } from '../support/thief.ts';

/** In the long form, `npm run attacks`, ten thousand. */
const craftedCount = Number(process.env.ATTACK_SNAPSHOTS ?? 220);
const budget = 100;

const cluster = new Cluster();
const [source, peer, other] = ['ams1', 'nyc1', 'sin1'] as const;
const tree = join(cluster.root, 'source');
const alarmFile = join(cluster.root, 'alarms.txt');
const operatorKey = join(cluster.root, 'ada.key');
const secretName = 'takeover-of-nordvik-2027.txt';
const secretLine = 'the board of Nordvik will be offered ninety million on Monday';
const secretSize = 2_345_678;
let dataset: DatasetId;
let honest: readonly string[];

beforeAll(async () => {
  mkdirSync(tree);
  const text = `${secretLine}\n`.repeat(Math.ceil(secretSize / (secretLine.length + 1)));
  writeFileSync(join(tree, secretName), text.slice(0, secretSize));
  writeFileSync(join(tree, 'other'), 'nothing');
  const command = ['/bin/sh', '-c', `echo "$HOLDFAST_ALARM $HOLDFAST_TEXT" >> ${alarmFile}`];
  cluster.configs[peer] = { alerts: { command } };
  await cluster.form(threeSites, { surviveSites: 1 });
  await until('all three vote', 180_000, async () => {
    return (await cluster.api(source).coordinator()).voters.length === 3;
  });
  // As docs/guide.md asks for: whoever steals this host finds no operator's key.
  renameSync(join(cluster.state(source), 'operator.key'), operatorKey);
  const policy = join(cluster.root, 'policy.json');
  const rule = { match: '*', retention: { keepLast: 1 }, lock: { mode: 'compliance', for: '30d' } };
  const writers = [{ match: source, budget: { perDay: '8MiB', statementsPerDay: budget } }];
  writeFileSync(policy, JSON.stringify({ datasets: [rule], writers }));
  await cluster.expect(0, ['policy', 'propose', policy, '--operator-key', operatorKey], source);
  for (const name of ['first', 'second']) {
    writeFileSync(join(tree, name), name);
    await cluster.backup(source, [tree]);
  }
  const snapshots = await cluster.snapshots(peer);
  honest = snapshots.map(({ id }) => id);
  dataset = (await cluster.api(peer).status()).datasets[0]?.id as DatasetId;
  await until('both snapshots are locked', 180_000, async () => {
    const now = await cluster.snapshots(peer);
    return now.length === 2 && now.every(({ keeping }) => keeping?.lock !== undefined);
  });
}, 600_000);

afterAll(() => cluster[Symbol.asyncDispose]());

describe('the stolen disk of a storage peer', () => {
  it('holds no name, content, size or key of what others have stored there', async () => {
    const secrets = new Map<string, Uint8Array>([
      ...(await packSecrets(cluster.kit, cluster.state(peer))),
      ['name', utf8(secretName)],
      ['content', utf8(secretLine)],
      ['size in words', utf8(String(secretSize))],
      ['size, little end first', sizeBytes('writeBigUInt64LE')],
      ['size, big end first', sizeBytes('writeBigUInt64BE')],
      ['size as protobuf writes it', Uint8Array.of(0xce, 0x95, 0x8f, 0x01)],
    ]);
    const files = filesBelow(cluster.state(peer));
    expect(files.length).toBeGreaterThan(20);
    for (const [what, secret] of secrets) {
      const found = files.filter(({ bytes }) => bytes.includes(Buffer.from(secret)));
      expect(
        found.map(({ path }) => path),
        what,
      ).toEqual([]);
    }
    const zstd = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
    const shards = files.filter(({ path }) => path.includes('/shards/'));
    expect(shards.length).toBeGreaterThan(0);
    expect(
      shards.some(({ bytes }) => bytes.includes(zstd)),
      'compressed content',
    ).toBe(false);
  });

  function sizeBytes(write: 'writeBigUInt64LE' | 'writeBigUInt64BE'): Uint8Array {
    const bytes = Buffer.alloc(8);
    bytes[write](BigInt(secretSize));
    return bytes;
  }
});

describe('whoever has stolen the source, with root on it', () => {
  let thief: Thief;
  let target: PeerKey;

  beforeAll(async () => {
    ({ thief, target } = await Thief.ofSite(cluster, source, [other, peer]));
  });

  afterAll(() => thief[Symbol.asyncDispose]());

  it('opens nothing that was committed: no key of it is on the host', async () => {
    const secrets = await packSecrets(cluster.kit, cluster.state(source));
    const files = filesBelow(cluster.state(source));
    for (const [what, secret] of secrets) {
      expect(
        files.some(({ bytes }) => bytes.includes(Buffer.from(secret))),
        what,
      ).toBe(false);
    }
    await cluster.expect(12, ['ls', 'latest'], peer);
  });

  it('deletes and shortens nothing: every command is void, noted, and told to people', async () => {
    const writer = thief.agentKey;
    const selection = { dataset, writer, ranges: [{ first: 1, last: 2 }], reason: 'gone' };
    const member = (await cluster.api(peer).identity()).agentKey as AgentKey;
    const bodies: ControlBody[] = [
      { kind: 'forget', ...selection },
      { kind: 'unlock', ...selection },
      { kind: 'release', hold: '00'.repeat(16), reason: 'gone' } as ControlBody,
      { kind: 'policy', version: 3, base: 2, document: utf8('{"destructiveDelay":"0s"}') },
      { kind: 'thaw', agent: member, freeze: 1 },
    ];
    for (const body of bodies) await insist(body);
    const refused = await auditAt(cluster, peer, 'decision');
    for (const { kind } of bodies) {
      const line = { actor: source, action: kind, outcome: 'refused' };
      expect(refused, kind).toContainEqual(expect.objectContaining(line));
    }
    expect(alarmsIn(alarmFile)).toContain('command-refused');
    await expectNothingLost();
  });

  it('anchors nothing in the name of another, though it has the key of a voter', async () => {
    const writer = (await cluster.api(peer).identity()).agentKey as AgentKey;
    const { statement, hash } = thief.newest(manifestStream(dataset));
    const place = { sequence: 2 ** 40, previous: hash };
    const body = { ...statement.body, ...place, previous: idOf(hash) } as StatementBody;
    const { bytes } = thief.seal(encodeStatement({ ...statement, ...place, writer, body }));
    await insist({ kind: 'anchor', manifests: [bytes] });
    const line = { actor: source, action: 'anchor', outcome: 'refused' };
    const refused = await auditAt(cluster, peer, 'decision');
    expect(refused).toContainEqual(expect.objectContaining(line));
    await until('people hear of it', 60_000, async () => alarmsIn(alarmFile).includes('forgery'));
    expect((await cluster.api(other).status()).contradictions).toEqual([]);
    await expectNothingLost();
  });

  /** Whoever leads takes it; what becomes of it is for the log to say. */
  async function insist(body: ControlBody): Promise<void> {
    await until(`${body.kind} is judged`, 180_000, async () => {
      const answer = await thief.command(target, body);
      if (answer.case !== 'propose' || !answer.value.isAppended) return false;
      await pause(300);
      const lines = await auditAt(cluster, peer, 'decision');
      return lines.some(({ actor, action }) => actor === source && action === body.kind);
    });
  }

  it('crowds nothing out with crafted snapshots, and its times are lies that people hear of', async () => {
    const stream = manifestStream(dataset);
    const times = [Date.now() - 400 * dayMs, Date.now() + 400 * dayMs, Date.now()];
    for (let i = 0; i < craftedCount; i++) craft(times[i % 3] ?? 0);
    const newest = thief.newest(stream).envelope;
    const answer = await ask(thief.network, target, {
      case: 'commit',
      value: { manifest: newest },
    });
    expect(answer, 'no receipt for what is over the budget').toMatchObject({ case: 'failure' });
    await until('the budget is used up', 180_000, async () => (await held()) >= budget / 2);
    await until('people hear of it', 120_000, async () => {
      const told = alarmsIn(alarmFile);
      return told.includes('over-budget') && told.includes('false-time');
    });
    expect(await held()).toBeLessThanOrEqual(budget + 2);
    const over = { actor: source, action: 'statements over budget', outcome: 'refused' };
    expect(await auditAt(cluster, peer, 'refusal')).toContainEqual(expect.objectContaining(over));
    const status = await cluster.run(['status'], peer);
    expect(status.out).toContain('says more than its budget allows');
    await expectNothingLost();
    const [judged] = await cluster.api(peer).retention({});
    const first = judged?.snapshots.find(({ id }) => id === honest[0]);
    expect(first, 'the first of its hour stays the first').toMatchObject({ isKept: true });
  }, 600_000);

  /** Like the last honest one, so that peers hold everything that it names. */
  function craft(timeMs: number): void {
    const { statement, hash } = thief.newest(manifestStream(dataset));
    const body = statement.body as Extract<StatementBody, { kind: 'manifest' }>;
    const { sequence } = statement;
    const previous = idOf<StatementHash>(hash);
    thief.sign({ ...body, sequence: sequence + 1, previous, sourceTimeMs: timeMs }, timeMs);
  }

  async function held(): Promise<number> {
    const answer = await ask(thief.network, target, { case: 'heads', value: {} });
    if (answer.case !== 'heads') return 0;
    const mine = answer.value.heads.find(({ stream }) => stream === manifestStream(dataset));
    return Number(mine?.sequence ?? 0);
  }

  it('does not fill the disks of others, whatever it calls its datasets', async () => {
    for (const name of ['a', 'b', 'c']) {
      const [sample] = samplePack({ seed: 1, k: 1, m: 0, packSize: 9 * MiB });
      if (sample === undefined) throw new Error('a pack has a shard');
      const id = idOf<DatasetId>(Buffer.alloc(16, name));
      const head = shardHeadMessage({ ...sample.head, writer: thief.agentKey, dataset: id });
      const answer = await ask(thief.network, target, { case: 'offer', value: { head } });
      expect(answer).toMatchObject({ case: 'failure', value: { code: 'over-budget' } });
    }
    const over = { actor: source, action: 'shards over budget', outcome: 'refused' };
    expect(await auditAt(cluster, peer, 'refusal')).toContainEqual(expect.objectContaining(over));
    expect(existsSync(alarmFile) && readFileSync(alarmFile, 'utf8')).toMatch(
      /^over-budget .* stores more of /m,
    );
  });

  async function expectNothingLost(): Promise<void> {
    const snapshots = await cluster.snapshots(peer);
    for (const id of honest) {
      const found = snapshots.find((one) => one.id === id);
      expect(found).toMatchObject({ keeping: { stage: 'live', lock: { mode: 'compliance' } } });
    }
  }
});
