import { minuteMs, secondMs } from '../../base/units.ts';
import { type DatasetId, shortId } from '../../core/ids.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import { rangesOf, rangesText, without } from '../../core/policy/sequence-ranges.ts';
import type { Expiry, Fate } from '../../core/protocol/control/fate.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Audit } from '../audit/audit-log.ts';
import type { HostClock } from '../host-clock.ts';
import type { JudgedStream, RetentionView } from '../retention-view.ts';
import type { ControlLog } from './control-log.ts';
import { repeat } from './duty.ts';

export type ExpiryKeeperOptions = {
  readonly control: ControlLog;
  readonly retention: RetentionView;
  readonly hostClock: Pick<HostClock, 'nowMs' | 'freeze'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit?: Audit | undefined;
};

const periodMs = 5 * secondMs;
/** Proposals of one dataset are gathered: this many of them at most are under way, however long they take. */
const proposalsUnderWay = 24;
const proposalMinMs = 10 * secondMs;
const rangesMax = 256;

/** What was asked for of one dataset. */
export type Proposed = {
  readonly dataset: DatasetId;
  readonly snapshots: number;
  /** Why nothing was proposed. */
  readonly reason?: string;
};

/**
 * Proposes, while this host leads, what has outlived its retention and its lock; confirms, while another leads,
 * what it reckons alike. Two hosts at two sites must agree before anything begins to expire.
 */
export class ExpiryKeeper {
  readonly #options: ExpiryKeeperOptions;
  /** By the monotonic clock, of each stream. */
  readonly #proposedMs = new Map<string, number>();
  /** What this host could not confirm, so that its log says so once. */
  readonly #refused = new Set<string>();

  constructor(options: ExpiryKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: controlMessages.expiryWaits } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.round(cancel), options);
  }

  /** One look at what may be proposed or confirmed. */
  async round(options: Cancel): Promise<void> {
    const { control } = this.#options;
    if (control.isLeading) await this.#proposeDue(options);
    else if (control.status().leader !== undefined) await this.#confirmAll(options);
  }

  /** Proposes now whatever may go, of one dataset or of all; for the leader only. */
  async propose(dataset: DatasetId | undefined, options: Cancel = {}): Promise<Proposed[]> {
    const proposed: Proposed[] = [];
    for (const stream of await this.#options.retention.streams(dataset)) {
      proposed.push(await this.#proposeStream(stream, options));
    }
    return proposed;
  }

  async #proposeDue(options: Cancel): Promise<void> {
    const { control, retention, clock } = this.#options;
    const { vetoMs, trashMs } = control.state.policy.current.expiry;
    const everyMs = Math.max(proposalMinMs, (vetoMs + trashMs) / proposalsUnderWay);
    for (const { head } of control.state.anchors.all()) {
      const name = head.writer + head.dataset;
      const nowMs = clock.monotonicMs();
      if (nowMs - (this.#proposedMs.get(name) ?? Number.NEGATIVE_INFINITY) < everyMs) continue;
      const stream = await retention.stream(head.writer, head.dataset);
      const { snapshots } = await this.#proposeStream(stream, options);
      // Nothing was due: looked at again soon, since forgetting should show.
      this.#proposedMs.set(name, snapshots > 0 ? nowMs : nowMs - everyMs + minuteMs / 6);
    }
  }

  async #proposeStream(stream: JudgedStream, options: Cancel): Promise<Proposed> {
    const { control, log } = this.#options;
    const { dataset, writer } = stream;
    const ranges = rangesOf(this.#expendable(stream)).slice(0, rangesMax);
    const head = control.state.anchors.of(writer, dataset)?.head;
    if (ranges.length === 0 || head === undefined) {
      const reason = stream.haltedBecause ?? 'nothing may go now';
      return { dataset, snapshots: 0, reason };
    }
    const applied = await control.submit({ kind: 'expire', head, ranges }, options);
    if (applied.outcome === 'void') {
      return { dataset, snapshots: 0, reason: applied.reason };
    }
    const snapshots = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    log.log('info', controlMessages.expiryProposed, { dataset, sequences: rangesText(ranges) });
    return { dataset, snapshots };
  }

  /** Sequences that no rule keeps and no lock of this host holds, and that are not on their way already. */
  #expendable({ writer, dataset, haltedBecause, snapshots }: JudgedStream): number[] {
    const { control, hostClock } = this.#options;
    const nowMs = hostClock.nowMs();
    if (haltedBecause !== undefined || nowMs === undefined || hostClock.freeze !== undefined) {
      return [];
    }
    const newest = control.state.anchors.of(writer, dataset)?.head.sequence ?? 0;
    return snapshots
      .filter(({ stage }) => stage === 'live' || stage === 'forgotten' || stage === 'proposed')
      .filter(({ decision, lockedUntilMs }) => !decision.isKept && lockedUntilMs <= nowMs)
      .map(({ decision }) => decision.sequence)
      .filter((sequence) => sequence < newest);
  }

  async #confirmAll(options: Cancel): Promise<void> {
    const { state, self } = this.#options.control;
    for (const fate of state.fates.all()) {
      for (const expiry of fate.expiries) {
        if (expiry.stage !== 'proposed' || expiry.proposer === self) continue;
        if (!this.#mayConfirm(expiry)) continue;
        await this.#confirm(fate, expiry, options);
      }
    }
  }

  #mayConfirm({ proposer }: Expiry): boolean {
    const { members } = this.#options.control.state;
    const own = members.of(this.#options.control.self);
    if (own === undefined) return false;
    return members.sites().length < 2 || members.of(proposer)?.site !== own.site;
  }

  async #confirm({ writer, dataset }: Fate, expiry: Expiry, options: Cancel): Promise<void> {
    const { control, retention, log } = this.#options;
    const stream = await retention.stream(writer, dataset);
    const other = without(expiry.ranges, rangesOf(this.#expendable(stream)));
    if (other.length === 0) {
      await control.submit({ kind: 'confirm-expiry', expiry: expiry.id }, options);
      return;
    }
    if (this.#refused.has(expiry.id)) return;
    this.#refused.add(expiry.id);
    const context = { dataset, sequences: rangesText(other), proposer: expiry.proposer };
    log.log('warn', controlMessages.expiryNotConfirmed, context);
    const event = { actor: 'this host', action: 'did not confirm an expiry' } as const;
    const subject = `dataset ${shortId(dataset)}`;
    const detail = `snapshots ${context.sequences} stay by its reckoning`;
    this.#options.audit?.({ ...event, kind: 'expiry', subject, outcome: 'refused', detail });
  }
}
