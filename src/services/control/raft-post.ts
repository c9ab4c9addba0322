import { HoldfastError } from '../../core/errors.ts';
import { idField } from '../../core/format/field.ts';
import { encodeRaftMessage } from '../../core/format/raft-message.ts';
import { type AgentKey, idBytes, type PeerKey } from '../../core/ids.ts';
import type { Answer } from '../../core/protocol/exchange-kinds.ts';
import { mayRelay } from '../../core/protocol/member.ts';
import type { RaftMessage } from '../../core/protocol/raft/types.ts';
import type { Cancel, Log } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';

export type RaftPostOptions = {
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly log: Log;
};

/** Messages on their way to one peer. More would only pile up before one that does not answer. */
const underWayMax = 32;
const timeoutMs = 3000;
/** Members asked one after another for the way to the leader. */
const othersMax = 5;

/** `mayPassOn`: through other members, when the leader cannot be reached from here. */
export type Way = Cancel & { readonly mayPassOn: boolean };

/** Brings messages of the control log to other members. What does not arrive is sent again by Raft itself. */
export class RaftPost {
  readonly #options: RaftPostOptions;
  readonly #underWay = new Map<PeerKey, number>();

  #turn = 0;

  constructor(options: RaftPostOptions) {
    this.#options = options;
  }

  send(message: RaftMessage): void {
    const peer = this.#peerOf(message.to);
    if (peer === undefined) return;
    const count = this.#underWay.get(peer) ?? 0;
    if (count >= underWayMax) return;
    this.#underWay.set(peer, count + 1);
    const value = { message: encodeRaftMessage(message) };
    void this.#options.peers
      .ask(peer, { case: 'raft', value }, { timeoutMs })
      .catch((error: unknown) => {
        if (!(error instanceof HoldfastError)) throw error;
      })
      .finally(() => this.#underWay.set(peer, (this.#underWay.get(peer) ?? 1) - 1));
  }

  /** Who leads, as far as another member has told it: for people. */
  leaderElsewhere: AgentKey | undefined;

  /** `leader`: undefined when nobody here knows it. @returns true when the leader has appended the command */
  async propose(
    leader: AgentKey | undefined,
    envelope: Uint8Array,
    options: Way,
  ): Promise<boolean> {
    const answer = await this.#askOnTheWay(leader, envelope, options);
    return answer?.isAppended === true;
  }

  /** Up to where the log was committed, as its leader confirms; undefined when it does not. */
  async readIndex(leader: AgentKey | undefined, options: Way): Promise<number | undefined> {
    const answer = await this.#askOnTheWay(leader, new Uint8Array(0), options);
    return answer?.isAppended === true ? Number(answer.readIndex) : undefined;
  }

  /**
   * Asks the leader or, where it cannot be reached from here, other members that may know the way. Those pass
   * it on once, so nothing goes around in circles.
   */
  async #askOnTheWay(
    leader: AgentKey | undefined,
    envelope: Uint8Array,
    { mayPassOn, ...options }: Way,
  ): Promise<Answer<'propose'> | undefined> {
    const { peers } = this.#options;
    const direct = leader === undefined ? undefined : this.#peerOf(leader);
    if (direct !== undefined) return this.#ask(direct, { envelope, hops: 0 }, options);
    if (!mayPassOn) return undefined;
    const others = peers.reachable().filter(mayRelay);
    // Begins with another one each time: the first may be as lost as this host.
    const first = this.#turn++ % Math.max(1, others.length);
    const tried = [...others.slice(first), ...others.slice(0, first)].slice(0, othersMax);
    for (const { peerKey } of tried) {
      const answer = await this.#ask(peerKey, { envelope, hops: 1 }, options);
      if (answer === undefined || answer.leader.length === 0) continue;
      this.leaderElsewhere = idField<AgentKey>(answer.leader, 32, 'leader');
      if (answer.isAppended) return answer;
    }
    return undefined;
  }

  /** Asks the leader to let another one lead. What comes of it shows in the log. */
  async transfer(leader: AgentKey, to: AgentKey | undefined): Promise<void> {
    const peer = this.#peerOf(leader);
    if (peer === undefined) return;
    const value = { isTransfer: true, to: to === undefined ? new Uint8Array(0) : idBytes(to) };
    await this.#options.peers.ask(peer, { case: 'propose', value }, { timeoutMs });
  }

  async #ask(
    peer: PeerKey,
    value: { readonly envelope: Uint8Array; readonly hops: number },
    options: Cancel,
  ): Promise<Answer<'propose'> | undefined> {
    try {
      const question = { case: 'propose', value } as const;
      return await this.#options.peers.ask(peer, question, { ...options, timeoutMs });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      // What the leader found wrong with the command would be wrong elsewhere too.
      if (error.code === 'bad-encoding' || error.code === 'limit-exceeded') throw error;
      return undefined;
    }
  }

  #peerOf(agent: AgentKey): PeerKey | undefined {
    const { ledger, peers } = this.#options;
    const peer = ledger.roster.member(agent)?.peerKey;
    return peer !== undefined && peers.isReachable(peer) ? peer : undefined;
  }
}
