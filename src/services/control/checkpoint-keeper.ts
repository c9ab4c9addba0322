import { secondMs } from '../../base/units.ts';
import { cosignCheckpoint, encodeSignedCheckpoint } from '../../core/format/checkpoint.ts';
import { decodeNote, type NoteSignature } from '../../core/format/signed-note.ts';
import type { AgentKey } from '../../core/ids.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import {
  certified,
  checkpointText,
  cosigner,
  isOf,
} from '../../core/protocol/control/log-checkpoint.ts';
import { isSameSet } from '../../core/protocol/control/vouch-book.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { Serve } from '../serve.ts';
import {
  CheckpointFollower,
  type CheckpointFollowerOptions,
  type Complete,
} from './checkpoint-follower.ts';
import { repeat } from './duty.ts';

export type CheckpointKeeperOptions = CheckpointFollowerOptions & {
  readonly statementSecret: Uint8Array;
};

const periodMs = 1 * secondMs;
/** Voters before a change that cannot be reached now may come back. */
const vouchPeriodMs = 10 * secondMs;
/** A large image takes a while to fetch: as long as somebody may be at it, others are told of the same. */
const lentMs = 30 * secondMs;

/**
 * Has a majority of the voters sign the head of the control log, so that any member can follow it through any
 * other: what they have signed is true whoever brings it. When the voters have changed, a majority of those
 * before signs as well, and that goes into the log: see VouchBook.
 */
export class CheckpointKeeper {
  readonly #options: CheckpointKeeperOptions;
  readonly #follower: CheckpointFollower;
  #newest: Complete | undefined;
  readonly #forks = new Map<AgentKey, number>();
  #vouchedMs = Number.NEGATIVE_INFINITY;
  #lent: { readonly complete: Complete; readonly atMs: number } | undefined;

  constructor(options: CheckpointKeeperOptions) {
    this.#options = options;
    this.#follower = new CheckpointFollower(options);
  }

  /** The newest checkpoint that is complete, as a signed note; undefined until there is one. */
  get newest(): string | undefined {
    return this.#newest?.note;
  }

  /** The same with the log up to there. */
  get complete(): Complete | undefined {
    return this.#newest;
  }

  /**
   * Voters that have signed another log than this host has, and up to which entry. No two honest hosts do: Raft
   * bears hosts that stop, and a leader that sends each follower another log is found here alone.
   */
  get forks(): ReadonlyMap<AgentKey, number> {
    return this.#forks;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: controlMessages.noCheckpoint } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.#look(cancel), options);
  }

  async #look(options: Cancel): Promise<void> {
    if (this.#options.control.isLeading) return this.#collect(options);
    this.#newest = (await this.#follower.look(options)) ?? this.#newest;
  }

  /** Goes on from an image of the log if enough voters vouch for it. @returns false when they do not */
  take(note: string, image: Uint8Array): boolean {
    const taken = this.#follower.take(note, image);
    this.#newest = taken ?? this.#newest;
    return taken !== undefined;
  }

  async #collect(options: Cancel): Promise<void> {
    const { control, ledger, clock } = this.#options;
    const { generation } = control.status();
    const size = control.appliedIndex;
    const { voters } = control.state.config;
    const before = control.state.vouches.voters;
    const isVouched = isSameSet(voters, before);
    const isNew = !this.#isNewest(generation, size);
    if (!isNew && (isVouched || clock.monotonicMs() - this.#vouchedMs < vouchPeriodMs)) return;
    this.#vouchedMs = clock.monotonicMs();
    const image = isNew ? control.image() : undefined;
    const own = this.#sign(size);
    if (own === undefined) return;
    const note = await this.#cosigned(own, [...new Set([...voters, ...before])], options);
    const log = { cluster: ledger.cluster, generation };
    if (certified(note, { ...log, voters }) === undefined) return;
    if (image !== undefined) {
      this.#newest = { note, size, generation, image };
      await this.#spread(note, options);
    }
    if (isVouched || certified(note, { ...log, voters: before }) === undefined) return;
    await control.submit({ kind: 'vouch', note }, options);
  }

  /** The same head with the signatures of all of these that can be reached. `own`: signed by this host. */
  async #cosigned(own: string, voters: readonly AgentKey[], options: Cancel): Promise<string> {
    const { control, peers, ledger } = this.#options;
    const { text, signatures } = decodeNote(own);
    const lines: NoteSignature[] = [...signatures];
    const size = BigInt(control.appliedIndex);
    const asked = voters.map(async (voter) => {
      const peer = ledger.roster.member(voter)?.peerKey;
      if (voter === control.self || peer === undefined || !peers.isReachable(peer)) return;
      const answer = await peers.ask(
        peer,
        { case: 'cosign', value: { size, newest: '' } },
        options,
      );
      if (answer.note === '') return;
      const note = decodeNote(answer.note);
      const ownLine = note.signatures.find(({ name }) => name === cosigner(voter).name);
      if (note.text !== text) this.#compare(answer.note, Number(size), [voter]);
      else if (ownLine !== undefined) lines.push(ownLine);
    });
    await Promise.allSettled(asked);
    return encodeSignedCheckpoint(text, lines);
  }

  /** Whoever has it can pass it on to those whom this host does not reach. */
  async #spread(note: string, options: Cancel): Promise<void> {
    const { control, peers } = this.#options;
    const { voters, learners } = control.status().config;
    const value = { size: 0n, newest: note };
    const told = peers
      .reachable()
      .filter(({ agentKey }) => voters.includes(agentKey) || learners.includes(agentKey))
      .map(({ peerKey }) => peers.ask(peerKey, { case: 'cosign', value }, options));
    await Promise.allSettled(told);
  }

  /** Keeps a checkpoint that is complete, if this host stands just there. */
  #keep(note: string): void {
    const { control, ledger } = this.#options;
    const { generation } = control.status();
    const size = control.appliedIndex;
    const head = control.headAt(size);
    if (head === undefined) return;
    const { cluster } = ledger;
    const checkpoint = certified(note, { cluster, generation, voters: head.voters });
    if (checkpoint === undefined) return;
    if (isOf(checkpoint, head)) this.#newest = { note, size, generation, image: control.image() };
    else this.#compare(note, size, head.voters);
  }

  /** Of a note that is not of the head at this size here: who of these has signed one of the same size? */
  #compare(note: string, size: number, voters: readonly AgentKey[]): void {
    const { control, ledger, log } = this.#options;
    const of = { cluster: ledger.cluster, generation: control.status().generation };
    const own = control.headAt(size);
    if (own === undefined) return;
    for (const voter of voters) {
      if (voter === control.self || this.#forks.has(voter)) continue;
      const signed = certified(note, { ...of, voters: [voter] });
      if (signed === undefined || signed.size !== size || isOf(signed, own)) continue;
      log.log('error', controlMessages.anotherLogSigned, { voter, size, note });
      this.#forks.set(voter, size);
    }
  }

  #isNewest(generation: number, size: number): boolean {
    const newest = this.#newest;
    return newest !== undefined && newest.generation === generation && newest.size >= size;
  }

  /** This host's signature under the head at `size`; undefined when it has not applied just as much. */
  #sign(size: number): string | undefined {
    const { control, ledger, clock, statementSecret } = this.#options;
    const head = control.headAt(size);
    if (head === undefined) return undefined;
    const text = checkpointText(ledger.cluster, control.status().generation, head);
    const timeSeconds = Math.floor(clock.nowMs() / 1000);
    const by = cosigner(control.self);
    const line = cosignCheckpoint(text, { by, secret: statementSecret, timeSeconds });
    return encodeSignedCheckpoint(text, [line]);
  }

  /** What a member that has applied less than `from` is told of. */
  #lend(from: number): Complete | undefined {
    const { clock, control } = this.#options;
    const nowMs = clock.monotonicMs();
    const { generation } = control.status();
    const isOf = ({ size, generation: its }: Complete): boolean =>
      size >= from && its === generation;
    const isLent = this.#lent !== undefined && nowMs - this.#lent.atMs < lentMs;
    if (isLent && this.#lent !== undefined && isOf(this.#lent.complete)) return this.#lent.complete;
    if (this.#newest === undefined || !isOf(this.#newest)) return undefined;
    this.#lent = { complete: this.#newest, atMs: nowMs };
    return this.#newest;
  }

  /** Lets other members ask for signatures and for the log. */
  answer(serve: Pick<Serve, 'register'>): void {
    const { images } = this.#options.control;
    serve.register('cosign', async ({ size, newest }) => {
      if (newest !== '') this.#keep(newest);
      return { note: size === 0n ? '' : (this.#sign(Number(size)) ?? '') };
    });
    serve.register('controlLog', async ({ from }) => {
      const lent = this.#lend(Number(from));
      if (lent === undefined) return {};
      return { image: images.offer(lent.image), checkpoint: lent.note };
    });
  }
}
