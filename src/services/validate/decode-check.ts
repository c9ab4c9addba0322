import { mapLimit } from '../../base/concurrency.ts';
import { codeOf } from '../../core/errors.ts';
import type { PackEntry } from '../../core/format/facts.ts';
import { leafCountOf, type ShardHead, shardSizeOf } from '../../core/format/shard.ts';
import { type AgentKey, type PackId, shortId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { Compute } from '../../ports/compute.ts';
import type { Entropy } from '../../ports/runtime.ts';
import { computeShards } from '../computed-shards.ts';
import type { ShardHolder } from '../holder-history.ts';
import type { LeafFetcher } from '../leaf-fetcher.ts';
import type { ManifestRecord } from '../ledger.ts';
import { numberBelow } from '../number-below.ts';
import type { Survey, SurveyedPack } from '../repair/pack-survey.ts';
import type { ValidationProgress } from './validation.ts';

export type DecodeCheckOptions = {
  readonly leaves: Pick<LeafFetcher, 'fetch' | 'head'>;
  readonly compute: Pick<Compute, 'reconstruct'>;
  readonly entropy: Entropy;
  /** It is a member that stores, at a site that is not lost. */
  readonly counts: (agent: AgentKey) => boolean;
  /** Undefined: it cannot be reached now. */
  readonly holderOf: (agent: AgentKey) => Pick<ShardHolder, 'peer' | 'site'> | undefined;
  readonly snapshotName: (record: ManifestRecord) => string;
};

export type DecodeCheckResult = {
  readonly packs: number;
  /** Of which k members have each shown a leaf of another shard, checked against the pack's id. */
  readonly packsProven: number;
  /** Read whole and decoded: what k shards make is what the pack's id names. */
  readonly packsDecoded: number;
  /** Nothing could be said of them: who holds them is not there. */
  readonly packsUnseen: number;
  /** Signed for, and not shown by who is there. */
  readonly shardsMissing: number;
};

type Sum = { -readonly [K in keyof DecodeCheckResult]: number };
type Shown = { readonly index: number; readonly holder: ShardHolder; readonly head: ShardHead };

const lanes = 4;

/** Whether every pack can be put together from what members hold, without any key. */
export class DecodeCheck {
  readonly #options: DecodeCheckOptions;

  constructor(options: DecodeCheckOptions) {
    this.#options = options;
  }

  /** @param decoded which of the packs are read whole */
  async run(
    packs: readonly SurveyedPack[],
    usersOf: Survey['usersOf'],
    decoded: ReadonlySet<PackId>,
    progress: ValidationProgress,
  ): Promise<DecodeCheckResult> {
    const sum: Sum = {
      ...{ packs: 0, packsProven: 0, packsDecoded: 0 },
      ...{ packsUnseen: 0, shardsMissing: 0 },
    };
    await mapLimit(packs, lanes, async (pack) => {
      progress.signal.throwIfAborted();
      sum.packs++;
      const objection = await this.#pack(pack, { decoded, sum, progress });
      if (objection !== undefined) {
        const users = usersOf(pack.entry.pack);
        const [first = pack.record] = users;
        const more = users.length > 1 ? ` and ${users.length - 1} more` : '';
        const subject = `${this.#options.snapshotName(first)}${more}`;
        const detail = `pack ${shortId(pack.entry.pack)}: ${objection}`;
        progress.onFinding({ check: 'decodability', subject, detail });
      }
      progress.onStep({ current: `pack ${shortId(pack.entry.pack)}`, done: sum.packs });
    });
    return sum;
  }

  async #pack(
    { entry, words }: SurveyedPack,
    around: { decoded: ReadonlySet<PackId>; sum: Sum; progress: ValidationProgress },
  ): Promise<string | undefined> {
    const { sum, progress, decoded } = around;
    const byIndex = this.#claims(entry, words);
    if (byIndex.size < entry.k) {
      return `${byIndex.size} of the ${entry.k} shards that it takes are signed for`;
    }
    // Not shown, or bad when it was read whole: another has to stand in.
    const bad = new Set<number>();
    // A bad one costs the others no second way over the network.
    const read = new Map<number, Uint8Array>();
    for (;;) {
      const shown = await this.#gather(entry, byIndex, { bad, sum, signal: progress.signal });
      if (typeof shown === 'string') return shown;
      if (shown === undefined) {
        sum.packsUnseen++;
        return undefined;
      }
      const found = decoded.has(entry.pack)
        ? await this.#decode(entry, { shown, read, signal: progress.signal })
        : 'proven';
      if (typeof found === 'number') {
        bad.add(found);
        sum.shardsMissing++;
        continue;
      }
      sum.packsProven++;
      if (found === 'decoded') sum.packsDecoded++;
      return found === 'decoded' || found === 'proven' ? undefined : found;
    }
  }

  /** As many shards as it takes, each shown; undefined: too many are away to tell; or why they cannot be had. */
  async #gather(
    entry: PackEntry,
    byIndex: ReadonlyMap<number, AgentKey[]>,
    { bad, sum, signal }: { bad: Set<number>; sum: Sum; signal: AbortSignal },
  ): Promise<Shown[] | undefined | string> {
    const shown: Shown[] = [];
    let unseen = 0;
    for (const [index, agents] of byIndex) {
      if (shown.length === entry.k) return shown;
      if (bad.has(index)) continue;
      const found = await this.#show(entry, index, agents, signal);
      if (found === 'away') unseen++;
      else if (found === 'missing') {
        bad.add(index);
        sum.shardsMissing++;
      } else shown.push(found);
    }
    if (shown.length === entry.k) return shown;
    if (shown.length + unseen >= entry.k) return undefined;
    return `${shown.length} of the ${entry.k} shards that it takes can be had`;
  }

  /** Who says to hold which shard, in an order that nobody can foresee. */
  #claims(entry: PackEntry, words: SurveyedPack['words']): Map<number, AgentKey[]> {
    const all: [number, AgentKey][] = [];
    for (const [agent, { mask = 0 }] of words) {
      if (!this.#options.counts(agent)) continue;
      for (let index = 0; index < entry.k + entry.m; index++) {
        if ((mask >>> index) & 1) all.push([index, agent]);
      }
    }
    const byIndex = new Map<number, AgentKey[]>();
    for (const [index, agent] of this.#shuffled(all)) {
      byIndex.set(index, [...(byIndex.get(index) ?? []), agent]);
    }
    return byIndex;
  }

  #shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.#below(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
    }
    return shuffled;
  }

  #below(count: number): number {
    return numberBelow(this.#options.entropy, count);
  }

  /** A leaf of this shard from one of those who have signed for it. */
  async #show(
    entry: PackEntry,
    index: number,
    agents: readonly AgentKey[],
    signal: AbortSignal,
  ): Promise<Shown | 'away' | 'missing'> {
    const { holderOf, leaves } = this.#options;
    const leaf = this.#below(leafCountOf({ k: entry.k, packSize: entry.size }));
    let answer: 'away' | 'missing' = 'missing';
    for (const agent of agents) {
      const place = holderOf(agent);
      if (place === undefined) {
        answer = 'away';
        continue;
      }
      const holder = { ...place, index };
      try {
        await leaves.fetch(entry, holder, { leaf, count: 1 }, signal);
        const head = leaves.head(entry, holder);
        if (head !== undefined) return { index, holder, head };
      } catch (error) {
        signal.throwIfAborted();
        const code = codeOf(error);
        if (code === undefined) throw error;
        // It does not say that the shard is gone.
        if (!tellingOfLoss.has(code)) answer = 'away';
      }
    }
    return answer;
  }

  /**
   * Reads the k shards whole, and makes all others of them: their roots must be those that the pack's id names.
   * @param around.read shards of this pack that are here already; what is read comes to it
   * @returns the index of a shard that is not whole; or what is wrong with the pack
   */
  async #decode(
    entry: PackEntry,
    around: { shown: readonly Shown[]; read: Map<number, Uint8Array>; signal: AbortSignal },
  ): Promise<'decoded' | 'proven' | number | string> {
    const { shown, read, signal } = around;
    const present: { index: number; bytes: Uint8Array }[] = [];
    for (const { index, holder } of shown) {
      try {
        const bytes = read.get(index) ?? (await this.#whole(entry, holder, signal));
        read.set(index, bytes);
        present.push({ index, bytes });
      } catch (error) {
        signal.throwIfAborted();
        const code = codeOf(error);
        if (code === undefined) throw error;
        return tellingOfLoss.has(code) ? index : 'proven';
      }
    }
    const { k, m } = entry;
    const wanted = Array.from({ length: k + m }, (_, i) => i).filter(
      (index) => !present.some((one) => one.index === index),
    );
    const [first] = shown;
    // Without another shard there is nothing to compare: each leaf was checked.
    if (wanted.length === 0 || first === undefined) return 'decoded';
    const job = { k, m, present, wanted };
    const made = await computeShards(this.#options.compute, job, first.head.roots);
    const wrong = made.filter(({ isRight }) => !isRight).map(({ index }) => index);
    if (wrong.length === 0) return 'decoded';
    const from = present.map(({ index }) => index).join(', ');
    return `its source has encoded it wrongly: shards ${from} make others than its shards ${wrong.join(', ')}`;
  }

  async #whole(entry: PackEntry, holder: ShardHolder, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = new Uint8Array(shardSizeOf({ k: entry.k, packSize: entry.size }));
    const leafCount = leafCountOf({ k: entry.k, packSize: entry.size });
    for (let leaf = 0; leaf < leafCount; leaf += limits.pullLeavesMax) {
      const range = { leaf, count: Math.min(limits.pullLeavesMax, leafCount - leaf) };
      const part = await this.#options.leaves.fetch(entry, holder, range, signal);
      bytes.set(part, leaf * limits.leafSize);
    }
    return bytes;
  }
}

const tellingOfLoss: ReadonlySet<string> = new Set(['not-found', 'corrupt', 'io-error']);
