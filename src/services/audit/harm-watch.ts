import { dayMs, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { type AgentKey, shortId } from '../../core/ids.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Alarm, Alarms } from '../alarms.ts';
import { repeat } from '../control/duty.ts';
import type { HostClock } from '../host-clock.ts';
import type { Ledger, StatementEvent } from '../ledger.ts';
import type { ManifestRecord } from '../statement-index.ts';

export type HarmWatchOptions = {
  readonly ledger: Pick<Ledger, 'roster' | 'self' | 'forks' | 'manifest' | 'onStatement'>;
  readonly state: () => ControlState;
  readonly hostClock: Pick<HostClock, 'freeze' | 'latestMs'>;
  readonly alarms: Pick<Alarms, 'raise' | 'settle'>;
  readonly nameOf: (agent: AgentKey) => string;
  readonly clock: Clock;
  readonly log: Log;
};

type Standing = Omit<Alarm, 'kind'>;

const periodMs = 5 * secondMs;
/** Clocks are set wrongly by hours; a day is a lie, or a host that somebody must look at. */
const timeLieMs = dayMs;

/**
 * Tells people of what looks like somebody else at work with a member's keys. Each such thing is refused or kept
 * from doing harm elsewhere; but nobody would hear of it there. An alarm is an audit entry, too.
 */
export class HarmWatch {
  readonly #options: HarmWatchOptions;

  constructor(options: HarmWatchOptions) {
    this.#options = options;
  }

  /** Until the signal. */
  async run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: trustMessages.harmNotLookedFor } as const;
    const stop = this.#options.ledger.onStatement((event) => this.#judgeTimes(event));
    try {
      await repeat({ ...this.#options, periodMs, failure }, () => this.look(), options);
    } finally {
      stop();
    }
  }

  /** What can be told from what is known now; each is told once, and once that it is over. */
  async look(): Promise<void> {
    const { alarms } = this.#options;
    const standing = {
      'two-histories': this.#forks(),
      quarantined: this.#quarantines(),
      'deletion-frozen': this.#freeze(),
    };
    for (const [kind, found] of Object.entries(standing)) {
      for (const alarm of found) await alarms.raise({ kind, ...alarm });
      const subjects = found.map(({ subject }) => subject);
      await alarms.settle(kind, subjects);
    }
  }

  /** Of members: what one who was put out has signed is mended by that. */
  #forks(): Standing[] {
    const { ledger, state } = this.#options;
    const { findings, members } = state();
    const isIn = (agent: AgentKey) => members.record(agent)?.expulsion === undefined;
    return [
      ...ledger
        .forks()
        .filter(({ writer }) => isIn(writer))
        .map(({ writer, stream, sequence }) =>
          this.#twoHistories(writer, stream, `two statements ${sequence} in ${stream}`),
        ),
      ...findings.equivocations
        .filter(({ agent }) => isIn(agent))
        .map(({ agent, reason }) => this.#twoHistories(agent, 'control', reason)),
    ];
  }

  #quarantines(): Standing[] {
    const { ledger, state } = this.#options;
    return state()
      .fates.all()
      .flatMap(({ writer, dataset, quarantine }): Standing[] => {
        if (quarantine === undefined) return [];
        const { name } = ledger.roster.datasetOf(writer, dataset) ?? { name: shortId(dataset) };
        const subject = `${writer}/${dataset}/${quarantine.sequence}`;
        const text = `${name} of ${this.#nameOf(writer)} is in quarantine: ${quarantine.reason}; nothing of it expires. Look: holdfast quarantine list`;
        return [{ subject, text, facts: { dataset: name } }];
      });
  }

  #freeze(): Standing[] {
    const { freeze } = this.#options.hostClock;
    if (freeze === undefined) return [];
    const text = `this host deletes nothing: ${freeze.reason}. Look at its clock and who has set it, then: holdfast peer thaw`;
    return [{ subject: String(freeze.number), text, facts: { reason: freeze.reason } }];
  }

  /** A command of the log that only operators may say, and that no operator has signed. */
  commandRefused(
    { signers, place }: { readonly signers: readonly string[]; readonly place: string },
    kind: string,
    reason: string,
  ): void {
    const who = signers.length === 0 ? 'somebody' : signers.join(', ');
    const text = `${who} tried what only operators may decide (${kind}), and was refused: ${reason}. Whoever has these keys is at work: holdfast audit show --kind decision`;
    this.#tell({ kind: 'command-refused', subject: place, text, facts: { peer: who, reason } });
  }

  /** A peer has sent what nobody sends by mistake. */
  forged(peer: string, code: string, reason: string): void {
    const text = `${peer} sent what cannot be true, and it was refused: ${reason}. Look at that host: holdfast audit show --kind refusal`;
    this.#tell({ kind: 'forgery', subject: `${peer}/${code}`, text, facts: { peer, reason } });
  }

  /** Own statements came back from others: this host's disk is older than what it has said. */
  stateLost(stream: string, count: number): void {
    const text = `${count} statements that this host has signed were missing here and came back from other members: its state directory is older than what it has said. If nobody has restored it, a second copy of this host is running. Look: holdfast audit verify`;
    const facts = { stream, count: String(count) };
    this.#tell({ kind: 'lost-state', subject: stream, text, facts });
  }

  /** Retention goes by other times; but whoever lies about these has something in mind. */
  #judgeTimes({ statement, hash }: StatementEvent): void {
    const { body, writer, timeMs } = statement;
    const { ledger, hostClock } = this.#options;
    if (body.kind !== 'manifest' || writer === ledger.self) return;
    const nowMs = hostClock.latestMs();
    const before = body.previous === undefined ? undefined : ledger.manifest(body.previous);
    const lie = timeLie({ timeMs, sourceTimeMs: body.sourceTimeMs }, before, nowMs);
    if (lie === undefined) return;
    const peer = this.#nameOf(writer);
    const dataset = ledger.roster.datasetOf(writer, body.dataset)?.name ?? shortId(body.dataset);
    const text = `snapshot ${shortId(hash)} of ${dataset} claims a false time: ${lie}. Retention does not go by it; look at the clock of ${peer}, and at who runs it: holdfast peer show ${peer}`;
    const facts = { peer, dataset, snapshot: hash };
    // A thousand of them are one thing to look at.
    const subject = `${writer}/${body.dataset}/${Math.floor(nowMs / dayMs)}`;
    this.#tell({ kind: 'false-time', subject, text, facts });
  }

  #twoHistories(agent: AgentKey, where: string, reason: string): Standing {
    const peer = this.#nameOf(agent);
    const text = `${peer} has signed two histories (${reason}): its state directory was restored from an older copy, or two copies of it run. What it signs there counts no more, and nothing of it expires. Look: holdfast status`;
    const facts = { peer, reason };
    return { subject: `${agent}/${where}`, text, facts };
  }

  #nameOf(agent: AgentKey): string {
    return this.#options.nameOf(agent);
  }

  #tell(alarm: Alarm): void {
    this.#options.alarms.raise(alarm).catch((error: unknown) => {
      if (codeOf(error) === undefined) throw error;
    });
  }
}

/** What is wrong with the times of a snapshot; undefined: nothing that matters. */
export function timeLie(
  { timeMs, sourceTimeMs }: { readonly timeMs: number; readonly sourceTimeMs: number },
  before: Pick<ManifestRecord, 'statement'> | undefined,
  nowMs: number,
): string | undefined {
  if (nowMs > 0 && Math.max(timeMs, sourceTimeMs) > nowMs + timeLieMs)
    return 'it lies in the future';
  if (before !== undefined && before.statement.timeMs - timeMs > timeLieMs) {
    return 'it lies before the snapshot that it follows';
  }
  return Math.abs(timeMs - sourceTimeMs) > timeLieMs ? 'it contradicts itself' : undefined;
}
