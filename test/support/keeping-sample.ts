import { utf8 } from '../../src/base/bytes.ts';
import { hourMs, MiB } from '../../src/base/units.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { encodePackSegments, type PackEntry } from '../../src/core/format/facts.ts';
import { noChanges } from '../../src/core/format/manifest.ts';
import type { AnchorHead } from '../../src/core/format/control-records.ts';
import type { FactRef } from '../../src/core/format/records.ts';
import {
  type AgentKey,
  type FactHash,
  idOf,
  type PackId,
  type StatementHash,
} from '../../src/core/ids.ts';
import { rangesOf } from '../../src/core/policy/sequence-ranges.ts';
import type { DurabilityView } from '../../src/services/durability-view.ts';
import type { Ledger, ManifestRecord } from '../../src/services/ledger.ts';
import { PackUse } from '../../src/services/pack-use.ts';
import {
  bergen,
  commandId,
  dbId,
  SampleControl,
  turku,
} from '../unit/core/protocol/control/sample-control.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryLockLedger } from './memory-lock-ledger.ts';
import { MemoryShards } from './memory-shards.ts';
import { MemoryFactStore } from './memory-statement-log.ts';
import { type SampleAgent, sampleManifest, startMs } from './sample-cluster.ts';

type Coding = { readonly k?: number; readonly m?: number };

/** The pack of that name. */
export const packOf = (name: string): PackId => idOf(hash('fact', utf8(`pack ${name}`)));

/** A storage host of a small cluster: snapshots of one dataset by oslo, a real control state, and its own store. */
export class KeepingSample {
  readonly control = SampleControl.full();
  readonly clock = new ManualClock(startMs);
  readonly facts = new MemoryFactStore();
  readonly store = new MemoryShards();
  readonly locks = new MemoryLockLedger();
  readonly records: ManifestRecord[] = [];
  readonly forks: { writer: AgentKey }[] = [];
  readonly witnesses = new Map<StatementHash, Map<AgentKey, number>>();
  readonly committed = new Set<StatementHash>();
  readonly signed: number[] = [];
  readonly packUse: PackUse;
  readonly ledger: Ledger;
  /** Conservative time of this host. */
  nowMs = startMs;
  freeze: { number: number; reason: string; sinceMs: number } | undefined;
  readonly #listeners: ((event: unknown) => void)[] = [];
  readonly #manifests = new Map<number, ReturnType<SampleControl['manifest']>>();
  readonly #codes = new Map<string, PackEntry>();
  readonly #lists = new Map<StatementHash, readonly FactRef[]>();

  /** `self`: whose host it is. */
  constructor(self: SampleAgent = bergen) {
    const one = { id: dbId, writer: this.writer, name: 'db', ruleName: 'db' };
    const find = (sequence: number) =>
      this.records.find(({ manifest }) => manifest.sequence === sequence);
    // Only these parts of a ledger are looked at.
    const ledger = {
      self: self.agentKey,
      roster: { datasets: () => [one], datasetOf: () => one },
      manifests: () => [...this.records],
      writers: () => [...new Set(this.records.map(({ statement }) => statement.writer))],
      packSegments: async ({ hash: name }: ManifestRecord) => this.#lists.get(name) ?? [],
      forks: () => this.forks,
      witnessed: (name: StatementHash) => this.witnesses.get(name) ?? new Map(),
      receipts: () => [{ agent: self.agentKey }],
      head: () => {
        const newest = this.records.at(-1);
        return newest === undefined ? undefined : { sequence: newest.manifest.sequence };
      },
      manifest: find,
      onStatement: (listener: (event: unknown) => void) => this.#listeners.push(listener),
    };
    this.ledger = ledger as unknown as Ledger;
    this.packUse = new PackUse({ ledger: this.ledger, facts: this.facts, state: () => this.state });
    this.pass(0);
  }

  get state(): SampleControl['state'] {
    return this.control.state;
  }

  get writer(): AgentKey {
    return this.control.oslo.agentKey;
  }

  hashOf(sequence: number): StatementHash {
    return this.headAt(sequence).hash;
  }

  /** What a service takes of this host. */
  readonly hostClock: SampleTime = new SampleTime(this);

  /** Only the state is looked at. */
  readonly view: Pick<DurabilityView, 'assess' | 'packs'> = {
    assess: async ({ hash: name }: ManifestRecord) => ({
      ...({} as Awaited<ReturnType<DurabilityView['assess']>>),
      state: this.committed.has(name) ? 'committed' : 'placed',
    }),
    packs: async () => [],
  };

  readonly storage = {
    sign: async ({ manifest }: ManifestRecord) => {
      this.signed.push(manifest.sequence);
      return new Uint8Array();
    },
  };

  /** The next snapshot, which needs these packs; `lists`: each a list of its own. */
  async snapshot(
    lists: readonly (readonly string[])[],
    { isListKnown = true, ...change }: { isListKnown?: boolean; tags?: string[] } = {},
  ): Promise<ManifestRecord> {
    const sequence = this.records.length + 1;
    const segments = lists.flatMap((names) =>
      encodePackSegments(names.map((one) => this.#entry(one))),
    );
    for (const one of segments) if (isListKnown) await this.facts.put(one.hash, one.bytes);
    const manifest = sampleManifest(dbId, undefined, {
      ...{ sequence, changes: noChanges, ...change },
      packSegments: segments.map(({ hash: name, count }) => ({
        hash: idOf<FactHash>(name),
        count,
      })),
    });
    const statement = { writer: this.writer, timeMs: startMs, body: manifest };
    const record = {
      hash: this.hashOf(sequence),
      manifest,
      statement,
    } as unknown as ManifestRecord;
    this.#lists.set(record.hash, manifest.packSegments);
    this.records.push(record);
    this.committed.add(record.hash);
    for (const listener of this.#listeners) listener({ statement });
    return record;
  }

  /** A list that was missing arrives. */
  async bringLists(): Promise<void> {
    for (const one of encodePackSegments([...this.#codes.values()])) {
      await this.facts.put(one.hash, one.bytes);
    }
  }

  #entry(name: string): PackEntry {
    const known = this.#codes.get(name);
    if (known !== undefined) return known;
    const entry = { pack: packOf(name), k: 1, m: 0, type: 'data', size: MiB } as const;
    this.#codes.set(name, entry);
    return entry;
  }

  /** The pack is coded so; to be said before a snapshot names it. A shard of it lies here. */
  hold(name: string, { k = 1, m = 0, index = 0 }: Coding & { index?: number } = {}): PackId {
    const pack = packOf(name);
    const size = MiB;
    this.#codes.set(name, { pack, k, m, type: 'data', size });
    const head = { k, m, packSize: size, dataset: dbId, writer: this.writer };
    this.store.put({ pack, index, size: size / k }, head);
    return pack;
  }

  lock(
    sequence: number,
    ends: { complianceMs?: number; governanceMs?: number } = {},
  ): Promise<void> {
    const lock = { sinceMs: startMs, complianceMs: 0, governanceMs: 0, ...ends };
    return this.locks.extend([{ snapshot: this.hashOf(sequence), ...lock }]);
  }

  // The control log

  headAt(sequence: number): AnchorHead {
    return this.#manifest(sequence).head;
  }

  anchor(sequence = this.records.length): void {
    this.control.by(this.control.oslo, this.#manifest(sequence).body);
  }

  /** Signed once: what it says of its packs is made up. */
  #manifest(sequence: number): ReturnType<SampleControl['manifest']> {
    const manifest = this.#manifests.get(sequence) ?? this.control.manifest(sequence);
    this.#manifests.set(sequence, manifest);
    return manifest;
  }

  /** All voters say that so many hours have passed; so they have here. */
  pass(hours: number): void {
    this.nowMs += hours * hourMs;
    for (const agent of [this.control.oslo, bergen, turku]) {
      // Each says another time than before.
      this.control.by(agent, { kind: 'time', logTimeMs: this.nowMs + this.control.index });
    }
  }

  /** Proposed by oslo and confirmed by turku. */
  expire(...sequences: number[]): void {
    this.anchor();
    const ranges = rangesOf(sequences);
    const id = commandId(`expire ${this.control.index}`);
    const head = this.headAt(this.records.length);
    const { oslo } = this.control;
    const body = { kind: 'expire', head, ranges } as const;
    const proposed = this.control.append(this.control.seal(body, [oslo.statementSecret], { id }));
    if (proposed.outcome !== 'applied') throw new Error(proposed.reason);
    const confirmed = this.control.by(turku, { kind: 'confirm-expiry', expiry: id });
    if (confirmed !== 'applied') throw new Error(confirmed);
  }

  /** Into the trash, by the log. */
  trash(...sequences: number[]): void {
    this.expire(...sequences);
    this.pass(1);
    this.pass(168);
    this.pass(1);
  }

  /** And out of it for good, by the log. */
  empty(): void {
    this.pass(168);
  }

  say(kind: 'undelete' | 'forget' | 'unlock', sequence: number): string {
    const ranges = [{ first: sequence, last: sequence }];
    const body = { kind, dataset: dbId, writer: this.writer, ranges, reason: 'a test' } as const;
    return this.control.byOperator(body);
  }

  holdAll(): void {
    const body = { kind: 'hold', dataset: dbId, snapshot: undefined, reason: 'case 12' } as const;
    this.control.byOperator(body);
  }
}

/** The conservative time of a sample, as services ask for it. */
class SampleTime {
  readonly #sample: KeepingSample;
  /** Up to when it may be already, ahead of the conservative time. */
  aheadMs = 0;

  constructor(sample: KeepingSample) {
    this.#sample = sample;
  }

  nowMs(): number | undefined {
    return this.#sample.nowMs === 0 ? undefined : this.#sample.nowMs;
  }

  latestMs(): number {
    return this.#sample.nowMs + this.aheadMs;
  }

  get freeze(): KeepingSample['freeze'] {
    return this.#sample.freeze;
  }
}

export { dbId } from '../unit/core/protocol/control/sample-control.ts';
