import { printable, utf8 } from '../base/bytes.ts';
import { Channel } from '../base/channel.ts';
import { mapLimit } from '../base/concurrency.ts';
import { HoldfastError } from '../core/errors.ts';
import type { PackEntry } from '../core/format/facts.ts';
import type { AgentKey, PackId } from '../core/ids.ts';
import { idBytes, idOf } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { type DataSubset, subsetOf } from '../core/policy/data-subset.ts';
import { maskOf, siteTolerance } from '../core/policy/durability.ts';
import type { Member } from '../core/protocol/roster.ts';
import type { Clock, Entropy } from '../ports/runtime.ts';
import type { DurabilityView } from './durability-view.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import { numberBelow } from './number-below.ts';
import type { Peers } from './peers.ts';
import type { StoragePeer } from './storage-peer.ts';

export type CheckOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly peers: Peers;
  readonly storage: StoragePeer | undefined;
  readonly view: DurabilityView;
  readonly entropy: Entropy;
  readonly clock: Clock;
};

export type CheckScope = {
  readonly records: readonly ManifestRecord[];
  readonly readData: boolean;
  /** Of their packs, which to read; undefined: all. */
  readonly subset?: DataSubset;
};

export type CheckProgress =
  | {
      readonly kind: 'status';
      readonly packsDone: number;
      readonly packsTotal: number;
      readonly peer: string;
    }
  | { readonly kind: 'problem'; readonly problem: ShardProblem }
  | { readonly kind: 'done'; readonly result: CheckResult };

export type ShardProblem = {
  readonly peer: string;
  readonly site: string;
  readonly pack: PackId;
  readonly index: number;
  readonly problem: string;
  readonly dataset: string;
};

export type CheckResult = {
  readonly snapshots: number;
  readonly packs: number;
  /** Of these packs, those of which every byte was read back. */
  readonly packsRead: number;
  readonly shards: number;
  readonly badShards: number;
  /** Fewer than k good shards are left of them on the peers that answered. */
  readonly unrecoverablePacks: number;
  /** Their good shards outlive fewer sites than the policy asks for, and their code was made for. */
  readonly degradedPacks: number;
  readonly peersAsked: number;
  readonly peersUnreachable: readonly string[];
  readonly durationMs: number;
};

type Wanted = {
  readonly entry: PackEntry;
  readonly dataset: string;
  /** Site losses that it should outlive. */
  readonly tolerance: number;
  readonly good: Map<string, Set<number>>;
};

const batchReading = 8;
/** A peer's words are shown to a person. */
const problemTextMax = 500;

/**
 * Asks every storage peer what it really holds of the snapshots' packs, and with `readData` has it read
 * every byte back. Needs no key.
 */
export class Check {
  readonly #options: CheckOptions;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  run(request: CheckScope, signal: AbortSignal): AsyncIterable<CheckProgress> {
    return Channel.of<CheckProgress>(async (channel) => ({
      kind: 'done',
      result: await this.#run(request, channel, signal),
    }));
  }

  async #run(
    request: CheckScope,
    channel: Channel<CheckProgress>,
    signal: AbortSignal,
  ): Promise<CheckResult> {
    const { ledger, clock, self } = this.#options;
    const startMs = clock.monotonicMs();
    const wanted = await this.#wanted(request.records);
    const promised = await this.#promised(request.records);
    const isRead = this.#isRead([...wanted.keys()], request);
    const members = ledger.roster.members().filter((member) => member.hasRole('storage'));
    const unreachable: string[] = [];
    const problems: ShardProblem[] = [];
    let shards = 0;
    const progress = { done: 0, total: wanted.size * members.length };
    await mapLimit(members, 4, async (member) => {
      const inspect = this.#inspector(member, self);
      if (inspect === undefined) {
        unreachable.push(member.name);
        progress.total -= wanted.size;
        return;
      }
      let own = 0;
      const found = await this.#inspectAll(wanted, inspect, {
        isSelf: member.agentKey === self,
        isRead,
        signal,
        onBatch: (count) => {
          own += count;
          progress.done += count;
          channel.latest({
            kind: 'status',
            packsDone: progress.done,
            packsTotal: progress.total,
            peer: member.name,
          });
        },
      });
      if (found === undefined) {
        unreachable.push(member.name);
        progress.total -= wanted.size - own;
        return;
      }
      shards += found.length;
      for (const problem of this.#judge(member, found, wanted, promised)) {
        problems.push(problem);
        channel.push({ kind: 'problem', problem });
      }
    });
    const { lost, degraded } = this.#tally(wanted);
    return {
      snapshots: request.records.length,
      packs: wanted.size,
      packsRead: [...wanted.keys()].filter(isRead).length,
      shards,
      badShards: problems.length,
      unrecoverablePacks: lost,
      degradedPacks: degraded,
      peersAsked: members.length - unreachable.length,
      peersUnreachable: unreachable,
      durationMs: clock.monotonicMs() - startMs,
    };
  }

  #isRead(packs: readonly PackId[], { readData, subset }: CheckScope): (pack: PackId) => boolean {
    if (subset === undefined || !readData) return () => readData;
    const { entropy } = this.#options;
    const read = subsetOf(packs, subset, (count) => numberBelow(entropy, count));
    return (pack) => read.has(pack);
  }

  async #wanted(records: readonly ManifestRecord[]): Promise<Map<PackId, Wanted>> {
    const wanted = new Map<PackId, Wanted>();
    for (const record of records) {
      const packs = await this.#options.view.packs(record);
      const dataset = this.#nameOf(record);
      if (packs === undefined) {
        throw new HoldfastError(
          'not-found',
          `the pack list of snapshot ${record.hash.slice(0, 8)} has not arrived`,
          {
            next: 'wait for the next synchronisation, then: holdfast check',
          },
        );
      }
      const { writer } = record.statement;
      const of = { writer, dataset: record.manifest.dataset };
      const toleranceOf = this.#options.view.wantedTolerance(of);
      for (const entry of packs) {
        if (wanted.has(entry.pack)) continue;
        wanted.set(entry.pack, { entry, dataset, tolerance: toleranceOf(entry), good: new Map() });
      }
    }
    return wanted;
  }

  #nameOf({ manifest, statement }: ManifestRecord): string {
    const { roster } = this.#options.ledger;
    return roster.datasetOf(statement.writer, manifest.dataset)?.name ?? manifest.dataset;
  }

  /** What each peer has signed for, as pack/index. */
  async #promised(records: readonly ManifestRecord[]): Promise<Map<AgentKey, Set<string>>> {
    const promised = new Map<AgentKey, Set<string>>();
    for (const record of records) {
      for (const [pack, { holders }] of await this.#options.view.holders(record)) {
        for (const { agent, index } of holders) {
          const names = promised.get(agent) ?? new Set<string>();
          promised.set(agent, names.add(`${pack}/${index}`));
        }
      }
    }
    return promised;
  }

  #inspector(member: Member, self: AgentKey): Inspector | undefined {
    const { peers, storage } = this.#options;
    if (member.agentKey === self) {
      return storage === undefined
        ? undefined
        : (packs, readData) => storage.inspect(packs, readData);
    }
    if (!peers.isReachable(member.peerKey)) return undefined;
    return async (packs, readData) => {
      const answer = await peers.ask(
        member.peerKey,
        { case: 'inspect', value: { packs: packs.map((pack) => idBytes(pack)), readData } },
        { timeoutMs: limits.offerTimeoutMs },
      );
      return answer.shards.map((shard) => ({
        pack: idOf<PackId>(shard.pack),
        index: shard.index,
        problem: shard.good ? undefined : printable(utf8(shard.problem.slice(0, problemTextMax))),
      }));
    };
  }

  /**
   * Only what was asked for and can be: a peer may say anything.
   * @returns undefined when the peer went away, or does not answer as it should.
   */
  async #inspectAll(
    wanted: ReadonlyMap<PackId, Wanted>,
    inspect: Inspector,
    options: InspectOptions,
  ): Promise<Inspected[] | undefined> {
    const found = new Map<string, Inspected>();
    for (const { batch, readData } of batchesOf([...wanted.keys()], options.isRead)) {
      options.signal.throwIfAborted();
      try {
        for (const one of await inspect(batch, readData)) {
          const entry = wanted.get(one.pack)?.entry;
          const isShard = entry !== undefined && one.index < entry.k + entry.m;
          if (isShard) found.set(`${one.pack}/${one.index}`, one);
        }
      } catch (error) {
        if (error instanceof HoldfastError && !options.isSelf) return undefined;
        throw error;
      }
      options.onBatch(batch.length);
    }
    return [...found.values()];
  }

  #judge(
    member: Member,
    found: readonly Inspected[],
    wanted: Map<PackId, Wanted>,
    promised: Map<AgentKey, Set<string>>,
  ): ShardProblem[] {
    const missing = new Set(promised.get(member.agentKey) ?? []);
    const problems: ShardProblem[] = [];
    const report = (pack: PackId, index: number, problem: string): void => {
      const dataset = wanted.get(pack)?.dataset ?? '';
      problems.push({ peer: member.name, site: member.site, pack, index, problem, dataset });
    };
    for (const { pack, index, problem } of found) {
      missing.delete(`${pack}/${index}`);
      if (problem !== undefined) report(pack, index, problem);
      else {
        const good = wanted.get(pack)?.good;
        good?.set(member.site, (good.get(member.site) ?? new Set()).add(index));
      }
    }
    for (const name of missing) {
      const [pack, index] = name.split('/');
      report(pack as PackId, Number(index), 'missing, though a receipt was signed for it');
    }
    return problems;
  }

  #tally(wanted: Map<PackId, Wanted>): { lost: number; degraded: number } {
    let lost = 0;
    let degraded = 0;
    for (const { entry, tolerance, good } of wanted.values()) {
      const masks = [...good.values()].map(maskOf);
      const survives = siteTolerance(entry.k, masks);
      if (survives < 0) lost++;
      else if (survives < tolerance) degraded++;
    }
    return { lost, degraded };
  }
}

type Batch = { readonly batch: readonly PackId[]; readonly readData: boolean };

/** Those that are read, a few at once; then the others. */
function batchesOf(packs: readonly PackId[], isRead: (pack: PackId) => boolean): Batch[] {
  return [true, false].flatMap((readData) => {
    const some = packs.filter((pack) => isRead(pack) === readData);
    const size = readData ? batchReading : limits.inspectPacksMax;
    const count = Math.ceil(some.length / size);
    return Array.from({ length: count }, (_, i) => ({
      batch: some.slice(i * size, (i + 1) * size),
      readData,
    }));
  });
}

type InspectOptions = {
  /** A failure of this host is no peer's absence. */
  readonly isSelf: boolean;
  readonly isRead: (pack: PackId) => boolean;
  readonly signal: AbortSignal;
  readonly onBatch: (count: number) => void;
};

type Inspected = { pack: PackId; index: number; problem: string | undefined };
type Inspector = (packs: readonly PackId[], readData: boolean) => Promise<Inspected[]>;
