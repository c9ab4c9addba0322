import { secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { cosignCheckpoint, encodeSignedCheckpoint } from '../../core/format/checkpoint.ts';
import { decodeLogImage } from '../../core/format/log-image.ts';
import { decodeNote, type NoteSignature } from '../../core/format/signed-note.ts';
import type { AgentKey, PeerKey } from '../../core/ids.ts';
import { ControlState } from '../../core/protocol/control/control-state.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { Serve } from '../serve.ts';
import type { ControlLog } from './control-log.ts';
import { repeat } from './duty.ts';
import { certified, checkpointText, cosigner, isOf } from './log-checkpoint.ts';

export type CheckpointKeeperOptions = {
  readonly control: ControlLog;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly log: Log;
  readonly statementSecret: Uint8Array;
};

/** A checkpoint that a majority has signed, with what it is of. */
type Complete = {
  readonly note: string;
  readonly size: number;
  readonly generation: number;
  readonly image: Uint8Array;
};

const periodMs = 1 * secondMs;
/** A member that nobody sends the log to asks for it this often. */
const followPeriodMs = 5 * secondMs;

/**
 * Has a majority of the voters sign the head of the control log, so that any member can follow it through any
 * other: what they have signed is true whoever brings it.
 */
export class CheckpointKeeper {
  readonly #options: CheckpointKeeperOptions;
  #newest: Complete | undefined;
  #followedMs = Number.NEGATIVE_INFINITY;

  constructor(options: CheckpointKeeperOptions) {
    this.#options = options;
  }

  /** The newest checkpoint that is complete, as a signed note; undefined until there is one. */
  get newest(): string | undefined {
    return this.#newest?.note;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: 'no checkpoint of the control log' } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.#look(cancel), options);
  }

  #look(options: Cancel): Promise<void> {
    const isLeading = this.#options.control.isLeading;
    return isLeading ? this.#collect(options) : this.#followIfAlone(options);
  }

  async #collect(options: Cancel): Promise<void> {
    const { control, peers, ledger } = this.#options;
    const { generation, config } = control.status();
    const size = control.appliedIndex;
    if (this.#isNewest(generation, size)) return;
    const image = control.image();
    const own = this.#sign(size);
    if (own === undefined) return;
    const { text, signatures } = decodeNote(own);
    const lines: NoteSignature[] = [...signatures];
    const asked = config.voters.map(async (voter) => {
      const peer = ledger.roster.member(voter)?.peerKey;
      if (voter === control.self || peer === undefined || !peers.isReachable(peer)) return;
      const value = { size: BigInt(size), newest: '' };
      const answer = await peers.ask(peer, { case: 'cosign', value }, options);
      if (answer.note === '') return;
      const note = decodeNote(answer.note);
      if (note.text === text) lines.push(...note.signatures);
    });
    await Promise.allSettled(asked);
    const note = encodeSignedCheckpoint(text, lines);
    const { cluster } = ledger;
    if (certified(note, { cluster, generation, voters: config.voters }) === undefined) return;
    this.#newest = { note, size, generation, image };
    await this.#spread(note, options);
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
    const { generation, config } = control.status();
    const { cluster } = ledger;
    const checkpoint = certified(note, { cluster, generation, voters: config.voters });
    const size = control.appliedIndex;
    const head = control.headAt(size);
    if (checkpoint === undefined || head === undefined || !isOf(checkpoint, head)) return;
    this.#newest = { note, size, generation, image: control.image() };
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

  /** A member that the leader cannot reach, or that has no place in the log, asks any other. */
  async #followIfAlone(options: Cancel): Promise<void> {
    const { control, clock, peers } = this.#options;
    if (control.status().leader !== undefined) return;
    if (clock.monotonicMs() - this.#followedMs < followPeriodMs) return;
    this.#followedMs = clock.monotonicMs();
    for (const { peerKey } of peers.reachable()) {
      if (await this.#followThrough(peerKey, options)) return;
    }
  }

  async #followThrough(peer: PeerKey, options: Cancel): Promise<boolean> {
    const { control, peers, log } = this.#options;
    const from = BigInt(control.appliedIndex + 1);
    const answer = await peers
      .ask(peer, { case: 'controlLog', value: { from } }, options)
      .catch((error: unknown) => {
        if (codeOf(error) === undefined) throw error;
        return undefined;
      });
    if (answer === undefined || answer.snapshot.length === 0) return false;
    const isTaken = this.take(answer.checkpoint, answer.snapshot.slice());
    if (!isTaken) log.log('warn', 'a peer told of a control log that nobody vouches for', { peer });
    return isTaken;
  }

  /** Goes on from an image of the log if enough voters vouch for it. @returns false when they do not */
  take(note: string, image: Uint8Array): boolean {
    const { control, ledger } = this.#options;
    const { tree, state: bytes } = decodeLogImage(image);
    const state = ControlState.decode(bytes, ledger.roster.genesis, ledger.cluster);
    const { voters } = state.config;
    const { generation } = control.status();
    if (!voters.every((voter) => this.#mayVote(voter))) return false;
    const { cluster } = ledger;
    // Who votes by the image's own word proves nothing: those whom this host knows must vouch for it as well.
    const known = control.state.config.voters;
    if (certified(note, { cluster, generation, voters: known }) === undefined) return false;
    const checkpoint = certified(note, { cluster, generation, voters });
    if (checkpoint === undefined || state.generation !== generation) return false;
    const head = { size: tree.size, root: tree.root(), stateHash: state.hash() };
    if (!isOf(checkpoint, head)) return false;
    control.follow(image);
    this.#newest = { note, size: tree.size, generation, image };
    return true;
  }

  /** By the operators' word, which this host has from the statements themselves. */
  #mayVote(agent: AgentKey): boolean {
    const member = this.#options.ledger.roster.member(agent);
    return member !== undefined && (member.hasRole('voter') || member.hasRole('witness'));
  }

  /** Lets other members ask for signatures and for the log. */
  answer(serve: Pick<Serve, 'register'>): void {
    serve.register('cosign', async ({ size, newest }) => {
      if (newest !== '') this.#keep(newest);
      return { note: size === 0n ? '' : (this.#sign(Number(size)) ?? '') };
    });
    serve.register('controlLog', async ({ from }) => {
      const newest = this.#newest;
      if (newest === undefined || newest.size < Number(from)) return {};
      return { snapshot: newest.image, checkpoint: newest.note };
    });
  }
}
