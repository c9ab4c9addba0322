import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { commandIn } from '../../core/format/control-peek.ts';
import type { AgentKey } from '../../core/ids.ts';
import { mayRelay } from '../../core/protocol/member.ts';
import type { RaftInput, RaftOutcome, RaftStatus } from '../../core/protocol/raft/types.ts';
import type { Cancel, Clock } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import { type Applied, type LogWaiters, within } from './log-waiters.ts';
import type { RaftPost } from './raft-post.ts';

/** This host's part of the log, as far as requests need it. */
export type RequestedLog = {
  readonly self: AgentKey;
  readonly appliedIndex: number;
  status(): RaftStatus;
  step(input: RaftInput): Promise<RaftOutcome>;
  transfer(to?: AgentKey): Promise<RaftOutcome>;
  read(): Promise<number>;
};

export type LogRequestsOptions = {
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly post: RaftPost;
  readonly waiters: LogWaiters;
};

const submitTimeoutMs = 15 * secondMs;
/** After this long an appended command whose fate is unknown is offered again; a repeated one is void. */
const offerPeriodMs = 2 * secondMs;
const retryMs = 100;

/** What is asked of whoever leads the control log, this host or another, until it is done or time is up. */
export class LogRequests {
  readonly #log: RequestedLog;
  readonly #options: LogRequestsOptions;

  constructor(log: RequestedLog, options: LogRequestsOptions) {
    this.#log = log;
    this.#options = options;
  }

  /**
   * Has the leader, whoever it is, let another one lead; resolves when another does.
   * @throws HoldfastError no-quorum | not-permitted (`to` is no voter, or there is none but the leader)
   */
  async handOver(to?: AgentKey): Promise<void> {
    const { clock } = this.#options;
    const { leader: before, term, config } = this.#log.status();
    const others = config.voters.filter((voter) => voter !== before);
    if (others.length === 0 || (to !== undefined && !config.voters.includes(to))) {
      throw new HoldfastError('not-permitted', 'there is no such other voter to lead', {
        next: 'holdfast coordinator status',
      });
    }
    if (before === undefined) throw this.noQuorum();
    if (before === to) return;
    if (before === this.#log.self) await this.#log.transfer(to);
    else await this.#options.post.transfer(before, to);
    const endMs = clock.monotonicMs() + submitTimeoutMs;
    for (;;) {
      const { leader, term: now } = this.#log.status();
      if (now > term && leader !== undefined) return;
      if (clock.monotonicMs() >= endMs) throw this.noQuorum();
      await clock.sleep(retryMs);
    }
  }

  async submitSigned(
    envelope: Uint8Array,
    options: Cancel & { timeoutMs?: number } = {},
  ): Promise<Applied> {
    const { clock } = this.#options;
    const { id } = commandIn(envelope);
    const applied = this.#options.waiters.command(id);
    const endMs = clock.monotonicMs() + (options.timeoutMs ?? submitTimeoutMs);
    try {
      for (;;) {
        const isAppended = await this.#offer(envelope, options);
        const leftMs = endMs - clock.monotonicMs();
        const waitMs = Math.min(leftMs, isAppended ? offerPeriodMs : retryMs);
        const outcome = await within(clock, waitMs, applied, options);
        if (outcome !== undefined) return outcome;
        if (clock.monotonicMs() >= endMs) throw this.noQuorum();
      }
    } finally {
      this.#options.waiters.forget(id);
    }
  }

  /** @returns true when a leader has taken it into its log, which is not yet a promise */
  async #offer(envelope: Uint8Array, options: Cancel): Promise<boolean> {
    const { leader } = this.#log.status();
    if (leader === this.#log.self) return this.offerHere(envelope);
    return this.#options.post.propose(leader, envelope, { ...options, mayPassOn: true });
  }

  /** Appends a command if this host leads. */
  async offerHere(envelope: Uint8Array): Promise<boolean> {
    commandIn(envelope);
    const outcome = await this.#log.step({ kind: 'propose', payload: envelope });
    return outcome.kind === 'ok';
  }

  async confirm(options: Cancel & { timeoutMs?: number } = {}): Promise<void> {
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + (options.timeoutMs ?? submitTimeoutMs);
    for (;;) {
      const leftMs = endMs - clock.monotonicMs();
      const index = await within(clock, leftMs, this.#readIndex(options), options);
      if (index !== undefined) {
        await this.applied(index, { ...options, timeoutMs: endMs - clock.monotonicMs() });
        return;
      }
      if (clock.monotonicMs() >= endMs) throw this.noQuorum();
      await clock.sleep(retryMs, options.signal === undefined ? {} : { signal: options.signal });
    }
  }

  async #readIndex(options: Cancel): Promise<number | undefined> {
    const { leader } = this.#log.status();
    if (leader === this.#log.self) return this.#log.read().catch(() => undefined);
    return this.#options.post.readIndex(leader, { ...options, mayPassOn: true });
  }

  /** Passes a request of another member on to the leader, if this host knows one. Without a command: a read. */
  async passOn(envelope: Uint8Array): Promise<{ isAppended: boolean; readIndex: bigint }> {
    const { leader } = this.#log.status();
    const { post } = this.#options;
    const none = { isAppended: false, readIndex: 0n };
    const self = this.#options.ledger.roster.member(this.#log.self);
    if (self === undefined || !mayRelay(self)) {
      throw new HoldfastError('not-permitted', 'this host is no relay: it has not that role');
    }
    if (leader === undefined || leader === this.#log.self) return none;
    if (envelope.length > 0) {
      const isAppended = await post.propose(leader, envelope, { mayPassOn: false });
      return { isAppended, readIndex: 0n };
    }
    const index = await post.readIndex(leader, { mayPassOn: false });
    return index === undefined ? none : { isAppended: true, readIndex: BigInt(index) };
  }

  async applied(index: number, options: Cancel & { timeoutMs?: number } = {}): Promise<void> {
    if (this.#log.appliedIndex >= index) return;
    const done = this.#options.waiters.index(index).then(() => true);
    const { timeoutMs = submitTimeoutMs } = options;
    if (await within(this.#options.clock, timeoutMs, done, options)) return;
    throw new HoldfastError('timeout', `entry ${index} of the control log has not arrived here`);
  }

  /** Names who is missing. */
  noQuorum(): HoldfastError {
    const { ledger, peers } = this.#options;
    const { voters } = this.#log.status().config;
    const nameOf = (agent: AgentKey): string =>
      ledger.roster.member(agent)?.name ?? agent.slice(0, 8);
    const missing = voters.filter((voter) => {
      const peer = ledger.roster.member(voter)?.peerKey;
      return voter !== this.#log.self && (peer === undefined || !peers.isReachable(peer));
    });
    const who = missing.length === 0 ? '' : `: ${missing.map(nameOf).join(', ')} not reachable`;
    const needed = Math.floor(voters.length / 2) + 1;
    return new HoldfastError(
      'no-quorum',
      `no quorum: ${needed} of ${voters.length} voters must answer${who}`,
      {
        next: 'bring them up; holdfast coordinator status tells who votes',
        details: { voters: voters.map(nameOf).join(' '), missing: missing.map(nameOf).join(' ') },
      },
    );
  }
}
