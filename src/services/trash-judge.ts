import { hourMs } from '../base/units.ts';
import type { PackId } from '../core/ids.ts';
import { rangesText } from '../core/policy/sequence-ranges.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import { discarded } from '../core/protocol/control/fate.ts';
import type { Clock } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { Ledger } from './ledger.ts';
import type { PackUse, UnneededPack } from './pack-use.ts';

export type TrashJudgeOptions = {
  readonly ledger: Pick<Ledger, 'onStatement' | 'forks'>;
  readonly packUse: Pick<PackUse, 'datasets' | 'unneeded'>;
  readonly store: Pick<ShardStore, 'indexes' | 'trash'>;
  readonly state: () => ControlState;
  readonly clock: Clock;
};

/** Which packs here nothing needs, as far as could be told. */
export type Judgement = {
  readonly unneeded: Map<PackId, UnneededPack>;
  /** Every dataset could be judged. */
  readonly isComplete: boolean;
  readonly reasons: readonly string[];
  /** Of the snapshots that were looked at: see `isStale`. */
  readonly revision: number;
};

/** A judgement is made anew after this, in case something was missed. */
const judgementMsMax = hourMs;

/**
 * Reads through the lists of all snapshots, and does so again only when there may be another answer: what is
 * gone stays gone, and a cluster that has been running for years has many lists.
 */
export class TrashJudge {
  readonly #options: TrashJudgeOptions;
  #revision = 0;
  #known: { key: string; atMs: number; judgement: Judgement } | undefined;

  constructor(options: TrashJudgeOptions) {
    this.#options = options;
    options.ledger.onStatement(({ statement }) => {
      if (statement.body.kind === 'manifest') this.#revision++;
    });
  }

  /** A snapshot has come since: it may need what the judgement calls unneeded. */
  isStale({ revision }: Judgement): boolean {
    return revision !== this.#revision;
  }

  async judge(): Promise<Judgement> {
    const { clock } = this.#options;
    const key = this.#key();
    const known = this.#known;
    const nowMs = clock.monotonicMs();
    if (known?.key === key && nowMs - known.atMs < judgementMsMax) return known.judgement;
    this.#known = undefined;
    const judgement = await this.#judgeAll();
    // A list that is missing may arrive without a sign.
    if (judgement.isComplete) this.#known = { key, atMs: nowMs, judgement };
    return judgement;
  }

  /** Changes with whatever the judgement depends on. */
  #key(): string {
    const { state: stateOf, ledger } = this.#options;
    const { fates, anchors, findings } = stateOf();
    const dead = fates.all().map((fate) => {
      return `${fate.writer}/${fate.dataset} ${rangesText(discarded(fate))}`;
    });
    const heads = anchors.all().map(({ head }) => head.hash);
    const liars = [ledger.forks().length, findings.equivocations.length];
    return [this.#revision, ...liars, ...dead, ...heads].join('\n');
  }

  async #judgeAll(): Promise<Judgement> {
    const { packUse, store } = this.#options;
    const revision = this.#revision;
    const trashed = new Set(store.trash().map(({ pack }) => pack));
    const isHere = (pack: PackId): boolean => store.indexes(pack).length > 0 || trashed.has(pack);
    const unneeded = new Map<PackId, UnneededPack>();
    const reasons: string[] = [];
    for (const dataset of packUse.datasets()) {
      const found = await packUse.unneeded(dataset, isHere);
      if ('unknown' in found) {
        reasons.push(`nothing of dataset ${dataset.slice(0, 8)} is deleted here: ${found.unknown}`);
      } else {
        for (const [pack, one] of found.packs) unneeded.set(pack, one);
      }
    }
    return { unneeded, isComplete: reasons.length === 0, reasons, revision };
  }
}
