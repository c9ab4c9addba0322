import { secondMs } from '../../base/units.ts';
import type { AgentKey } from '../../core/ids.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import { chooseVoters, type VoterCandidate } from '../../core/policy/voter-choice.ts';
import { nextConfig } from '../../core/protocol/control/config-steps.ts';
import { isSameSet } from '../../core/protocol/control/vouch-book.ts';
import type { RaftStatus } from '../../core/protocol/raft/types.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { ControlLog } from './control-log.ts';
import { repeat } from './duty.ts';
import { membershipProof } from './membership-proof.ts';

export type VoterKeeperOptions = {
  readonly control: ControlLog;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 1 * secondMs;
/** Long enough for voters that can be reached to sign a checkpoint. */
const vouchWaitMs = 30 * secondMs;

/**
 * Keeps the members of the control log as they should be, while this host leads it: whoever was admitted to
 * the cluster enters the log, and the voters become those that the layout wants, one change at a time.
 */
export class VoterKeeper {
  readonly #options: VoterKeeperOptions;
  /** Admissions that the log has found void: offering them again would change nothing. */
  readonly #refused = new Set<AgentKey>();

  /** Since when a change waits for the last one to be vouched for. */
  #blockedMs: number | undefined;

  constructor(options: VoterKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: controlMessages.votersNotKept } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.#keep(cancel), options);
  }

  async #keep(options: Cancel): Promise<void> {
    const { control, ledger } = this.#options;
    await control.yieldLead();
    if (!control.isLeading) return;
    for (const { agentKey } of ledger.roster.members()) await this.admit(agentKey, options);
    await this.#approach();
  }

  /**
   * Has the log take in a member that statements have admitted, unless it knows it, or has refused it before.
   * @throws HoldfastError no-quorum
   */
  async admit(agent: AgentKey, options: Cancel = {}): Promise<void> {
    const { control, ledger, log } = this.#options;
    if (control.state.members.record(agent) !== undefined || this.#refused.has(agent)) return;
    const proof = await membershipProof(ledger, agent);
    // Its admission may be on its way still.
    if (proof === undefined) return;
    const { outcome, ...rest } = await control.submit({ kind: 'admit', ...proof }, options);
    if (outcome === 'applied') return;
    this.#refused.add(agent);
    const name = ledger.roster.member(agent)?.name;
    log.log('warn', controlMessages.memberNotAdmitted, { name, ...rest });
  }

  /** One step towards the members that the log should have. */
  async #approach(): Promise<void> {
    const { control, log } = this.#options;
    const status = control.status();
    const candidates = this.candidates();
    const step = nextConfig({
      self: control.self,
      status,
      wanted: this.wantedVoters(status, candidates),
      // Who was given up by a decree votes no more, but may learn.
      members: control.state.members.all().map(({ agent }) => agent),
      isReachable: (agent) => this.#isReachable(agent),
    });
    if (step === undefined) return;
    if (step.kind === 'transfer') {
      await control.transfer(step.to);
      return;
    }
    if (!this.#isVouchable(step.config.voters)) return;
    const outcome = await control.configure(step.config);
    log.log('info', controlMessages.membersChange, { step: step.reason, outcome: outcome.kind });
  }

  /**
   * The next voters are vouched for by a majority of those vouched for last (see VouchBook): while too few of those
   * would be left, a change waits for the last one to be vouched for; not for ever, since some may be gone. Where it
   * is, the next may come: who votes no more signs all the same.
   */
  #isVouchable(voters: readonly AgentKey[]): boolean {
    const { control, clock } = this.#options;
    const before = control.state.vouches.voters;
    const left = before.filter((voter) => voters.includes(voter)).length;
    const { voters: now } = control.status().config;
    const isFine = left > before.length / 2 || isSameSet(now, voters) || isSameSet(now, before);
    if (isFine) this.#blockedMs = undefined;
    else this.#blockedMs ??= clock.monotonicMs();
    return this.#blockedMs === undefined || clock.monotonicMs() - this.#blockedMs > vouchWaitMs;
  }

  #isReachable(agent: AgentKey): boolean {
    const { control, peers } = this.#options;
    const peer = control.state.members.of(agent)?.peer;
    return agent === control.self || (peer !== undefined && peers.isReachable(peer));
  }

  wantedVoters(status: RaftStatus, candidates: readonly VoterCandidate[]): readonly AgentKey[] {
    const { layout, members } = this.#options.control.state;
    const { mode, voters } = layout.current;
    // Who was pinned may have lost its role since.
    const able = voters.filter((voter) => members.voterObjection(voter) === undefined);
    if (mode === 'pinned' && able.length > 0) return able;
    return chooseVoters(candidates, status.config.voters).voters;
  }

  /** Members that the log knows, with what is seen of them from here. */
  candidates(): VoterCandidate[] {
    const { control } = this.#options;
    return control.state.members
      .all()
      .filter(({ isAbandoned }) => !isAbandoned)
      .map(({ agent, name, site, region, roles }) => ({
        ...{ agent, name, site, region, roles },
        isReachable: this.#isReachable(agent),
      }));
  }
}
