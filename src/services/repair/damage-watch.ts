import { secondMs } from '../../base/units.ts';
import type { AgentKey, PackId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { Alarms } from '../alarms.ts';
import { repeat } from '../control/duty.ts';
import type { Ledger } from '../ledger.ts';
import type { Challenger } from './challenger.ts';
import type { Judgement } from './repair-view.ts';

export type DamageWatchOptions = {
  readonly ledger: Pick<Ledger, 'roster'>;
  readonly self: AgentKey;
  /** Of the last look at all packs; undefined: there was none. */
  readonly judgement: () => Judgement | undefined;
  readonly challenger: Pick<Challenger, 'isFailing'>;
  /** Undefined on a host that holds no shards. */
  readonly store: Pick<ShardStore, 'indexes'> | undefined;
  readonly alarms: Pick<Alarms, 'all' | 'settle'>;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 5 * secondMs;

/** Tells people that damage is over, once what was lost is made anew or needed by nobody any more. */
export class DamageWatch {
  readonly #options: DamageWatchOptions;

  constructor(options: DamageWatchOptions) {
    this.#options = options;
  }

  /** Until the signal. */
  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: storageMessages.damageNotLookedAt } as const;
    return repeat({ ...this.#options, periodMs, failure }, () => this.look(), options);
  }

  async look(): Promise<void> {
    const { ledger, challenger, alarms } = this.#options;
    const failing = ledger.roster
      .members()
      .filter(({ agentKey }) => challenger.isFailing(agentKey));
    const names = failing.map(({ name }) => name);
    await alarms.settle('peer-failing', names);
    const judgement = this.#options.judgement();
    if (judgement === undefined) return;
    const { tasks, lost, survey } = judgement;
    const short = new Set([
      ...tasks.map(({ entry }) => entry.pack),
      ...lost.map(({ pack }) => pack),
    ]);
    const wrong = this.#standing('wrong-encoding');
    const needed = wrong.filter((pack) => survey.packs.has(pack as PackId));
    await alarms.settle('wrong-encoding', needed);
    await alarms.settle('shard-damaged', this.#unmended(judgement, short));
    await alarms.settle('shards-gone', this.#missing(judgement, short));
  }

  #unmended(judgement: Judgement, short: ReadonlySet<PackId>): string[] {
    return this.#standing('shard-damaged').filter((subject) => {
      const [pack, index] = subject.split('/');
      if (short.has(pack as PackId)) return true;
      return ((this.#owed(judgement, pack as PackId) >>> Number(index)) & 1) === 1;
    });
  }

  #missing(judgement: Judgement, short: ReadonlySet<PackId>): string[] {
    const standing = this.#standing('shards-gone');
    if (standing.length === 0 || short.size > 0) return standing;
    for (const pack of judgement.survey.packs.keys()) {
      if (this.#owed(judgement, pack) !== 0) return standing;
    }
    return [];
  }

  /** Signed for by this host, as of the last look, and not here. Bit i: shard i. */
  #owed({ survey }: Judgement, pack: PackId): number {
    const { store, self } = this.#options;
    const mask = survey.packs.get(pack)?.words.get(self)?.mask ?? 0;
    if (mask === 0) return 0;
    return (store?.indexes(pack) ?? []).reduce((left, index) => left & ~(1 << index), mask);
  }

  #standing(kind: string): string[] {
    return this.#options.alarms
      .all()
      .filter((alarm) => alarm.kind === kind && alarm.clearedMs === undefined)
      .map(({ subject }) => subject);
  }
}
