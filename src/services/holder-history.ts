import { BoundedCache } from '../base/bounded-cache.ts';
import { minuteMs, secondMs } from '../base/units.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { PackId, PeerKey } from '../core/ids.ts';
import type { Clock } from '../ports/runtime.ts';

/** A peer that is said to hold one shard of a pack; it may be wrong or offline. */
export type ShardHolder = {
  readonly peer: PeerKey | 'self';
  readonly site: string;
  /** Of the shard. */
  readonly index: number;
  /** Its peer would have to fetch it from a cold store: whoever has it at hand is asked before. */
  readonly isCold?: boolean;
};

/** A peer that lacks or spoils a shard is not asked for it again for this long. */
const badShardMs = 5 * minuteMs;
/** A peer that did not answer comes last for this long. */
const silentPeerMs = 15 * secondMs;
/** Entries are small, but hostile peers could make many. */
const badShardsMax = 10_000;
/** Answers whose times make the median. */
const samplesMax = 33;
/** Before it, slowness says nothing. */
const patienceMinMs = 1 * secondMs;
/** Assumed of a peer not measured yet, when none has been. */
const firstGuessMs = 100;

type PeerRecord = { averageMs: number | undefined; underWay: number; silentUntilMs: number };

/** How peers have answered lately: who is asked first, who not at all, and how long to wait. */
export class HolderHistory {
  readonly #clock: Clock;
  readonly #peers = new Map<PeerKey, PeerRecord>();
  readonly #bad = new BoundedCache<string, { untilMs: number; code: ErrorCode }>(badShardsMax);
  readonly #samplesMs: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those worth asking, this host first, then by expected time, silent ones last. */
  rank(pack: PackId, holders: readonly ShardHolder[]): ShardHolder[] {
    const nowMs = this.#clock.monotonicMs();
    return holders
      .filter((holder) => this.problem(pack, holder) === undefined)
      .map((holder) => ({ holder, cost: this.#cost(holder.peer, nowMs) + coldCost(holder) }))
      .sort((a, b) => a.cost - b.cost)
      .map(({ holder }) => holder);
  }

  /** Why this holder is not worth asking for this shard at present. */
  problem(pack: PackId, holder: ShardHolder): ErrorCode | undefined {
    const bad = this.#bad.get(nameOf(pack, holder));
    return bad !== undefined && bad.untilMs > this.#clock.monotonicMs() ? bad.code : undefined;
  }

  /** True when the peer did not answer lately, or was overtaken by others. */
  isSilent(holder: ShardHolder): boolean {
    if (holder.peer === 'self') return false;
    const untilMs = this.#peers.get(holder.peer)?.silentUntilMs ?? 0;
    return untilMs > this.#clock.monotonicMs();
  }

  #cost(peer: PeerKey | 'self', nowMs: number): number {
    if (peer === 'self') return -1;
    const record = this.#peers.get(peer);
    if (record === undefined) return this.#medianMs();
    const silence = record.silentUntilMs > nowMs ? silentPeerMs * 1000 : 0;
    return (record.averageMs ?? this.#medianMs()) * (1 + record.underWay) + silence;
  }

  #medianMs(): number {
    const sorted = [...this.#samplesMs].sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? firstGuessMs;
  }

  /** How long an answer may take before another peer is asked as well. */
  get patienceMs(): number {
    if (this.#samplesMs.length === 0) return patienceMinMs;
    return Math.max(3 * this.#medianMs(), patienceMinMs);
  }

  /** A request starts; tell its end by the function returned. */
  started(pack: PackId, holder: ShardHolder): (result: 'good' | 'given-up' | ErrorCode) => void {
    const startMs = this.#clock.monotonicMs();
    const record = holder.peer === 'self' ? undefined : this.#record(holder.peer);
    if (record !== undefined) record.underWay++;
    return (result) => {
      const nowMs = this.#clock.monotonicMs();
      if (record !== undefined) record.underWay--;
      if (result === 'given-up') this.#overtaken(record, nowMs - startMs);
      else if (result === 'good') this.#measured(record, nowMs - startMs);
      else if (result === 'peer-unreachable' || result === 'timeout') {
        if (record !== undefined) record.silentUntilMs = nowMs + silentPeerMs;
      } else {
        this.#bad.set(nameOf(pack, holder), { untilMs: nowMs + badShardMs, code: result });
      }
    };
  }

  #record(peer: PeerKey): PeerRecord {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const record = { averageMs: undefined, underWay: 0, silentUntilMs: 0 };
    this.#peers.set(peer, record);
    return record;
  }

  #measured(record: PeerRecord | undefined, ms: number): void {
    if (record === undefined) return;
    record.silentUntilMs = 0;
    record.averageMs = record.averageMs === undefined ? ms : (3 * record.averageMs + ms) / 4;
    this.#samplesMs.push(ms);
    if (this.#samplesMs.length > samplesMax) this.#samplesMs.shift();
  }

  /** Others were faster. One that does not answer at all must not make every read wait for it. */
  #overtaken(record: PeerRecord | undefined, ms: number): void {
    if (record === undefined) return;
    record.averageMs = Math.max(record.averageMs ?? 0, ms);
    if (ms >= this.patienceMs) record.silentUntilMs = this.#clock.monotonicMs() + silentPeerMs;
  }
}

/** After all that answer, before those that do not. */
function coldCost({ isCold }: ShardHolder): number {
  return isCold === true ? silentPeerMs : 0;
}

function nameOf(pack: PackId, holder: ShardHolder): string {
  return `${pack}/${holder.index}/${holder.peer}`;
}
