import { beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { encodeKeyRecord } from '../../../../src/core/format/key-record.ts';
import { type AgentKey, type FactHash, idOf } from '../../../../src/core/ids.ts';
import { KeyBook } from '../../../../src/core/protocol/control/key-book.ts';
import type { KeyEpoch } from '../../../../src/core/protocol/roster.ts';
import { KeyKeeper, type KeyKeeperOptions } from '../../../../src/services/keys/key-keeper.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryKeyRecords } from '../../../support/memory-key-records.ts';
import { SampleCluster, secretOf } from '../../../support/sample-cluster.ts';

const writer = idOf<AgentKey>(secretOf('source'));
const dataset = idOf<never>(secretOf('dataset').subarray(0, 16));
const name = { writer, dataset, epoch: 1 };
const cluster = new SampleCluster();

function recordOf(text: string): { hash: FactHash; bytes: Uint8Array } {
  const files = [new TextEncoder().encode(text)];
  return encodeKeyRecord({ ...name, kitVersion: 1, recipients: [], files });
}

const first = recordOf('first');
const second = recordOf('second');

type Handler = (value: never, caller: never) => Promise<{ record: Uint8Array }>;

/** A member with what it keeps, and the others that it reaches. */
class Site {
  readonly book = new KeyBook(cluster.genesis);
  readonly records = new MemoryKeyRecords();
  readonly staged = new MemoryKeyRecords();
  readonly others: Site[] = [];
  readonly keeper: KeyKeeper;
  #handler: Handler | undefined;
  isAway = false;

  constructor() {
    const epoch: KeyEpoch = {
      ...{ ...name, recipient: 'age1', wrap: first.hash },
      ...{ wrappedIdentity: new Uint8Array(), timeMs: 0 },
    };
    const roster = {
      keyEpoch: () => epoch,
      datasets: () => [{ writer, id: dataset }],
      epochsOf: () => [epoch],
    };
    const options = {
      ledger: { roster, onStatement: () => () => {} },
      control: { state: { keys: this.book }, onState: () => () => {} },
      peers: {
        reachable: () => this.others.map((_, i) => ({ peerKey: i })),
        ask: async (i: number, { value }: { value: never }) => this.others[i]?.answer(value),
      },
      ...{ keyRecords: this.records, stagedKeyRecords: this.staged },
      ...{ clock: new ManualClock(), log: collectingLog() },
    };
    this.keeper = new KeyKeeper(options as unknown as KeyKeeperOptions);
    this.keeper.answer({
      register: (_: string, handler: Handler) => {
        this.#handler = handler;
      },
    } as never);
  }

  async answer(value: never): Promise<{ record: Uint8Array }> {
    if (this.isAway) throw new HoldfastError('peer-unreachable', 'away');
    return (this.#handler as Handler)(value, {} as never);
  }

  /** As the log has decided it. */
  decide(record: FactHash): void {
    const change = { ...name, base: this.keeper.inForce(name), record };
    const base = change.base.state === 'record' ? change.base.hash : undefined;
    const { version } = this.book;
    const keys = { version: version + 1, base: version, kit: undefined, sets: [] };
    const place = { generation: 1, index: version, timeMs: 0, authors: [] } as never;
    this.book.checkKeys({ ...keys, records: [{ ...name, base, record }] }, place)();
  }

  destroy(): void {
    const place = { generation: 1, index: 9, timeMs: 5, authors: [] } as never;
    this.book.checkDestroy({ kind: 'key-destroy', ...name, reason: 'x' }, place)();
  }
}

let source: Site;
let peer: Site;

beforeEach(async () => {
  source = new Site();
  peer = new Site();
  peer.others.push(source);
  source.others.push(peer);
  await source.records.put(first.hash, first.bytes);
  await peer.keeper.round();
});

describe('the record of an epoch', () => {
  test('is fetched by every member that has heard of it', () => {
    expect([...peer.records.kept.keys()]).toEqual([first.hash]);
  });

  test('gives way to the one that operators have decided on, once that is here', async () => {
    await source.keeper.stage(second.bytes);
    for (const site of [source, peer]) site.decide(second.hash);
    source.isAway = true;
    await peer.keeper.round();
    expect([...peer.records.kept.keys()]).toEqual([first.hash]);
    source.isAway = false;
    for (const site of [source, peer]) await site.keeper.round();
    for (const site of [source, peer]) expect([...site.records.kept.keys()]).toEqual([second.hash]);
    expect(source.staged.kept.size).toBe(0);
  });

  test('is handed out before it has been moved to its place: others ask at once', async () => {
    await source.keeper.stage(second.bytes);
    for (const site of [source, peer]) site.decide(second.hash);
    await peer.keeper.round();
    expect([...peer.records.kept.keys()]).toEqual([second.hash]);
  });

  test('is not replaced by another one, whoever hands it out', async () => {
    for (const site of [source, peer]) site.decide(second.hash);
    await source.records.put(first.hash, first.bytes);
    await peer.keeper.round();
    expect(peer.records.kept.has(second.hash)).toBe(false);
    expect(await peer.keeper.holdersOf([name])).toEqual({ held: 0, asked: 2 });
  });

  test('is staged no more once another was decided on, and never after its epoch was destroyed', async () => {
    await source.keeper.stage(second.bytes);
    source.destroy();
    await source.keeper.round();
    expect(source.staged.kept.size).toBe(0);
    await expect(source.keeper.stage(second.bytes)).rejects.toMatchObject({
      code: 'not-permitted',
    });
  });
});

describe('a destroyed epoch', () => {
  test('leaves no record at any member that has heard of it, and none comes back', async () => {
    peer.destroy();
    await peer.keeper.round();
    expect(peer.records.kept.size).toBe(0);
    await peer.keeper.round();
    expect(peer.records.kept.size).toBe(0);
    expect(await peer.keeper.record(name)).toBeUndefined();
  });
});
