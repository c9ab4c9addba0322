import { beforeEach, describe, expect, test, vi } from 'vitest';
import { codeOf, type ErrorCode } from '../../../src/core/errors.ts';
import {
  clusterStream,
  manifestStream,
  receiptStream,
} from '../../../src/core/format/statement.ts';
import { type FactHash, idOf, type StatementHash } from '../../../src/core/ids.ts';
import { Ledger } from '../../../src/services/ledger.ts';
import { collectingLog } from '../../support/collecting-log.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryStatementLog } from '../../support/memory-statement-log.ts';
import {
  type SampleAgent,
  SampleCluster,
  sampleAgent,
  sampleDataset,
  sampleManifest,
} from '../../support/sample-cluster.ts';

const bergen = sampleAgent('bergen');
const home = sampleDataset('home');
const address = { kind: 'address', multiaddrs: ['/ip4/192.0.2.1/tcp/1'], version: '1' } as const;

let cluster: SampleCluster;
let clock: ManualClock;
let log: MemoryStatementLog;
let ledger: Ledger;

function open(over: MemoryStatementLog, agent?: SampleAgent): Promise<Ledger> {
  const { genesisBytes } = cluster;
  const self = agent === undefined ? {} : { self: agent };
  return Ledger.open({ genesisBytes, log: over, clock, ...self });
}

beforeEach(async () => {
  cluster = new SampleCluster();
  clock = new ManualClock();
  log = new MemoryStatementLog();
  ledger = await open(log, cluster.founder);
});

async function refusalOf(work: Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await work;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return codeOf(error);
  }
  return undefined;
}

function flip(envelope: Uint8Array, at: number): Uint8Array {
  const changed = envelope.slice();
  changed[at] = (changed[at] as number) ^ 1;
  return changed;
}

describe('own statements', () => {
  test('stand in one chain and can be read back', async () => {
    const first = await ledger.append(clusterStream, address);
    const second = await ledger.append(clusterStream, { ...address, version: '2' });
    expect(second.statement).toMatchObject({ sequence: 2, timeMs: clock.nowMs() });
    expect(idOf(second.statement.previous)).toBe(first.hash);
    const held = await ledger.read(cluster.founder.agentKey, clusterStream, 1, 9);
    expect(held).toEqual([first.envelope, second.envelope]);
    expect(ledger.roster.member(cluster.founder.agentKey)?.version).toBe('2');
  });

  test('that are made at the same time follow one another', async () => {
    const versions = Array.from({ length: 8 }, (_, i) => String(i));
    const made = await Promise.all(
      versions.map((version) => ledger.append(clusterStream, { ...address, version })),
    );
    expect(made.map(({ statement }) => statement.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('without authority leave no trace', async () => {
    const invite = cluster.invite(bergen);
    expect(await refusalOf(ledger.append(clusterStream, invite))).toBe('not-permitted');
    expect(ledger.heads()).toEqual([]);
  });

  test('to which there is an objection are not made', async () => {
    await ledger.append(clusterStream, home);
    const other = sampleDataset('other', { name: 'home' });
    expect(await refusalOf(ledger.append(clusterStream, other))).toBe('not-permitted');
    expect(ledger.head(cluster.founder.agentKey, clusterStream)?.sequence).toBe(1);
  });

  test('wait until the newest own ones are known', async () => {
    const steps: string[] = [];
    ledger.beforeFirstAppend(async () => {
      await clock.sleep(5);
      steps.push('confirmed');
    });
    const made = ledger.append(clusterStream, address).then(() => steps.push('made'));
    await clock.advance(4);
    expect(steps).toEqual([]);
    await clock.advance(1);
    await made;
    await ledger.append(clusterStream, address);
    expect(steps).toEqual(['confirmed', 'made']);
  });

  test('are told to listeners until they leave', async () => {
    const heard: number[] = [];
    const leave = ledger.onStatement(({ statement }) => heard.push(statement.sequence));
    await ledger.append(clusterStream, address);
    leave();
    await ledger.append(clusterStream, address);
    expect(heard).toEqual([1]);
  });
});

describe('statements of others', () => {
  test('are accepted in their order, once', async () => {
    const [invite, admission] = cluster.admit(bergen) as [Uint8Array, Uint8Array];
    expect(await ledger.ingest(invite)).toMatchObject({ outcome: 'accepted' });
    expect(await ledger.ingest(admission)).toMatchObject({ outcome: 'accepted' });
    expect(await ledger.ingest(invite)).toMatchObject({ outcome: 'known' });
    expect(ledger.roster.memberByName('bergen-host').site).toBe('bergen');
  });

  test('that come too early name the gap', async () => {
    const { statementSecret } = cluster.founder;
    cluster.sign(statementSecret, address);
    const second = cluster.sign(statementSecret, address).envelope;
    expect(await ledger.ingest(second)).toEqual({ outcome: 'gap', from: 1 });
    expect(ledger.heads()).toEqual([]);
  });

  test('of unknown writers are refused until their admission is known', async () => {
    const own = cluster.sign(bergen.statementSecret, address).envelope;
    const early = await ledger.ingest(own);
    expect(early).toMatchObject({ outcome: 'refused', code: 'unknown-writer' });
    for (const envelope of cluster.admit(bergen)) await ledger.ingest(envelope);
    expect(await ledger.ingest(own)).toMatchObject({ outcome: 'accepted' });
  });

  test('that were changed on the way are refused, whichever byte it was', async () => {
    const { envelope } = cluster.sign(cluster.founder.statementSecret, address);
    for (let at = 0; at < envelope.length; at += 7) {
      expect(await ledger.ingest(flip(envelope, at))).toMatchObject({ outcome: 'refused' });
    }
    expect(ledger.heads()).toEqual([]);
    expect(await ledger.ingest(envelope)).toMatchObject({ outcome: 'accepted' });
  });

  test('of another cluster are refused, though the same people signed them', async () => {
    const { envelope } = new SampleCluster('other').sign(cluster.founder.statementSecret, address);
    const result = await ledger.ingest(envelope);
    expect(result).toMatchObject({ outcome: 'refused', code: 'bad-signature' });
  });

  test('signed by somebody else than their writer prove nothing', async () => {
    const { statementSecret } = cluster.founder;
    await ledger.ingest(cluster.sign(statementSecret, address).envelope);
    const forged = cluster.sign(
      statementSecret,
      { ...address, version: 'forged' },
      {
        after: undefined,
        secrets: [cluster.operatorSecret],
      },
    );
    const result = await ledger.ingest(forged.envelope);
    expect(result).toMatchObject({ outcome: 'refused', code: 'bad-signature' });
    expect(ledger.forks()).toEqual([]);
  });

  test('without authority are refused and may be followed by nothing', async () => {
    const invite = cluster.sign(cluster.founder.statementSecret, cluster.invite(bergen));
    const after = cluster.sign(cluster.founder.statementSecret, address);
    const result = await ledger.ingest(invite.envelope);
    expect(result).toMatchObject({ outcome: 'refused', code: 'not-permitted' });
    expect(await ledger.ingest(after.envelope)).toEqual({ outcome: 'gap', from: 1 });
  });

  test('that an operator has just signed are kept, unless signed on an old head', async () => {
    const first = cluster.sign(cluster.operatorSecret, cluster.invite(bergen));
    await ledger.appendSigned(first.envelope);
    expect(ledger.roster.openInvites(clock.nowMs())).toHaveLength(1);
    await ledger.appendSigned(first.envelope);
    const turku = cluster.invite(sampleAgent('turku'));
    const late = cluster.sign(cluster.operatorSecret, turku, { after: undefined });
    expect(await refusalOf(ledger.appendSigned(late.envelope))).toBe('sequence-gap');
    expect(ledger.forks()).toEqual([]);
    const next = cluster.sign(cluster.operatorSecret, turku);
    expect(await refusalOf(ledger.appendSigned(next.envelope))).toBeUndefined();
  });
});

describe('forks', () => {
  const version = (text: string) => ({ ...address, version: text });
  let held: Uint8Array[];

  beforeEach(async () => {
    const { statementSecret } = cluster.founder;
    ledger = await open(log);
    held = ['1', '2', '3'].map((text) => cluster.sign(statementSecret, version(text)).envelope);
    for (const envelope of held) await ledger.ingest(envelope);
  });

  test.each([
    ['the first entry', 0],
    ['an entry in between', 1],
    ['the newest entry', 2],
    ['an entry that follows another newest one', 3],
  ])('seen at %s are kept as evidence, and freeze the stream', async (_, at) => {
    const { statementSecret, agentKey } = cluster.founder;
    const second = new SampleCluster();
    for (let i = 0; i < at; i++) second.sign(statementSecret, version(i === 2 ? 'x' : `${i + 1}`));
    const other = second.sign(statementSecret, version('rival')).envelope;
    const result = await ledger.ingest(other);
    expect(result).toMatchObject({ outcome: 'refused', code: 'equivocation' });
    const evidence = { writer: agentKey, stream: clusterStream, sequence: at + 1 };
    const beside = held[Math.min(at, 2)];
    expect(ledger.forks()).toEqual([{ ...evidence, held: beside, other }]);
    const next = cluster.sign(statementSecret, version('4')).envelope;
    expect(await ledger.ingest(next)).toMatchObject({ code: 'equivocation' });
    expect(ledger.roster.member(agentKey)?.version).toBe('3');
  });

  test('survive a restart, and other streams of the writer go on', async () => {
    const { statementSecret } = cluster.founder;
    const rival = cluster.sign(statementSecret, version('rival'), { after: undefined }).envelope;
    await ledger.ingest(rival);
    const again = await open(log.copy());
    expect(again.forks()).toEqual(ledger.forks());
    const next = cluster.sign(statementSecret, version('4')).envelope;
    expect(await again.ingest(next)).toMatchObject({ code: 'equivocation' });
    const receipt = cluster.sign(statementSecret, {
      kind: 'receipt',
      manifest: idOf(new Uint8Array(32).fill(1)),
      holdings: [],
      freeBytes: 1,
      shardCount: 1,
    });
    expect(await again.ingest(receipt.envelope)).toMatchObject({ outcome: 'accepted' });
  });

  test('can be judged by whoever holds the other history', async () => {
    const { statementSecret, agentKey } = cluster.founder;
    const rival = cluster.sign(statementSecret, version('rival'), { after: undefined }).envelope;
    await ledger.ingest(rival);
    const evidence = ledger.heads().find(({ stream }) => stream !== clusterStream);
    const [handed] = await ledger.read(agentKey, evidence?.stream ?? '', 1, 1);
    const believer = await open(new MemoryStatementLog());
    await believer.ingest(held[0] as Uint8Array);
    await believer.ingest(handed as Uint8Array);
    expect(believer.isFrozen(agentKey, clusterStream)).toBe(true);
  });

  test('stop this host when they are its own', async () => {
    const own = await open(log, cluster.founder);
    const rival = cluster.sign(cluster.founder.statementSecret, version('rival'), {
      after: undefined,
    });
    await own.ingest(rival.envelope);
    expect(await refusalOf(own.append(clusterStream, address))).toBe('equivocation');
  });
});

describe('a log that is opened again', () => {
  beforeEach(async () => {
    for (const envelope of cluster.admit(bergen)) await ledger.ingest(envelope);
    const { statementSecret } = bergen;
    await ledger.ingest(cluster.sign(statementSecret, home).envelope);
    await ledger.ingest(cluster.sign(statementSecret, sampleManifest(home.id, undefined)).envelope);
  });

  test('tells the same', async () => {
    const again = await open(log.copy(), cluster.founder);
    expect(again.heads()).toEqual(ledger.heads());
    expect(again.manifests()).toEqual(ledger.manifests());
    expect(again.roster.members().map(({ name }) => name)).toEqual(['bergen-host', 'oslo-host']);
    await again.append(clusterStream, address);
  });

  test('is refused when an entry was changed', async () => {
    const damaged = log.copy();
    const name = { writer: bergen.agentKey, stream: clusterStream };
    damaged.damage(name, 1, (envelope) => flip(envelope, envelope.length - 3));
    expect(await refusalOf(open(damaged))).toBe('corrupt');
  });

  test('accepts what lost its ground as soon as that is back', async () => {
    const writers = [cluster.founder.agentKey, cluster.operatorKey];
    const lost = new MemoryStatementLog();
    for (const head of log.heads().filter(({ writer }) => writer === bergen.agentKey)) {
      const [envelope] = (await log.read(head, 1, 1)) as [Uint8Array];
      await lost.append(head, { sequence: 1, hash: head.hash, envelope });
    }
    const logger = collectingLog();
    const { genesisBytes } = cluster;
    const again = await Ledger.open({ genesisBytes, log: lost, clock, logger });
    expect(again.manifests()).toEqual([]);
    expect(logger.lines.map(({ level }) => level)).toEqual(['error', 'error']);
    for (const writer of writers.reverse()) {
      const [envelope] = (await log.read({ writer, stream: clusterStream }, 1, 1)) as [Uint8Array];
      expect(await again.ingest(envelope)).toMatchObject({ outcome: 'accepted' });
    }
    expect(again.manifests()).toEqual(ledger.manifests());
    const next = cluster.sign(bergen.statementSecret, address).envelope;
    expect(await again.ingest(next)).toMatchObject({ outcome: 'accepted' });
  });
});

describe('manifests and receipts', () => {
  test('manifests are listed newest last', async () => {
    await ledger.append(clusterStream, home);
    const stream = manifestStream(home.id);
    const first = await ledger.append(stream, sampleManifest(home.id, undefined));
    await clock.advance(10);
    const end = ledger.head(cluster.founder.agentKey, stream);
    const second = await ledger.append(stream, sampleManifest(home.id, end));
    expect(ledger.manifests(home.id).map(({ hash }) => hash)).toEqual([first.hash, second.hash]);
    expect(ledger.manifests().at(-1)?.manifest.sequence).toBe(2);
    expect(first.statement).toMatchObject({ ...ledger.manifest(first.hash)?.statement });
  });

  test('snapshots behind a cut do not count, nor does who has written nothing else', async () => {
    await ledger.append(clusterStream, home);
    const stream = manifestStream(home.id);
    const first = await ledger.append(stream, sampleManifest(home.id, undefined));
    const end = ledger.head(cluster.founder.agentKey, stream);
    await ledger.append(stream, sampleManifest(home.id, end));
    const counted = (cut: number | undefined): unknown[] => {
      vi.spyOn(ledger.roster.log, 'cut').mockReturnValue(cut);
      const all = [ledger.manifests(), ledger.manifests(home.id)];
      return [...all.map((some) => some.map(({ hash }) => hash)), ledger.writers(home.id)];
    };
    const { agentKey } = cluster.founder;
    expect(counted(undefined)).toMatchObject([{ length: 2 }, { length: 2 }, [agentKey]]);
    expect(counted(1)).toEqual([[first.hash], [first.hash], [agentKey]]);
    expect(counted(0)).toEqual([[], [], []]);
    vi.restoreAllMocks();
  });

  test('the newest receipt of an agent replaces the one before', async () => {
    const manifest = idOf<StatementHash>(new Uint8Array(32).fill(3));
    const receipt = (fill: number) =>
      ({
        kind: 'receipt',
        manifest,
        holdings: [idOf<FactHash>(new Uint8Array(32).fill(fill))],
        freeBytes: 1,
        shardCount: fill,
      }) as const;
    await ledger.append(receiptStream, receipt(1));
    await ledger.append(receiptStream, receipt(2));
    expect(ledger.receipts(manifest)).toMatchObject([
      { agent: cluster.founder.agentKey, receipt: { shardCount: 2 } },
    ]);
  });
});
