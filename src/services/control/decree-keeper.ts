import { compare, equal, toHex } from '../../base/bytes.ts';
import { secondMs } from '../../base/units.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { encodeCommand } from '../../core/format/control-command.ts';
import { openCommand } from '../../core/format/control-envelope.ts';
import type { CommandId, Decree } from '../../core/format/control-records.ts';
import { type AgentKey, type PeerKey, shortId } from '../../core/ids.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import { ControlState } from '../../core/protocol/control/control-state.ts';
import { beginGeneration } from '../../core/protocol/control/new-generation.ts';
import type { GenerationStart, GenerationStore } from '../../ports/generation-store.ts';
import type { Cancel, Clock, Entropy, Log } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { Serve } from '../serve.ts';
import type { ControlLog } from './control-log.ts';
import { repeat } from './duty.ts';
import type { ImageRef } from './image-exchange.ts';
import { RivalDecrees } from './rival-decrees.ts';

export type DecreeKeeperOptions = {
  readonly control: ControlLog;
  readonly generations: GenerationStore;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
};

/** What operators are asked to sign. */
export type PreparedDecree = {
  /** Payload bytes of the command. */
  readonly payload: Uint8Array;
  readonly decree: Decree;
  /** Members whose log was looked at. */
  readonly asked: readonly AgentKey[];
};

export type PendingDecree = { readonly decree: Decree; readonly leftMs: number };

type Pending = { readonly start: GenerationStart; readonly decree: Decree; readonly dueMs: number };

/** What another member has announced: the state is still there. */
type Announced = {
  readonly envelope: Uint8Array;
  readonly ref: ImageRef | undefined;
  readonly peer: PeerKey;
};

type Judged = {
  readonly decree: Decree;
  readonly start: GenerationStart;
  readonly state: ControlState;
};

const periodMs = 1 * secondMs;
/** Announced again: to members that were away. */
const announcePeriodMs = 5 * secondMs;

/**
 * Brings a cluster back that has lost the majority of its voters: operators sign which log counts and who votes
 * from now on. Takes effect at each member after the notice, by its own monotonic clock, and at once at
 * whoever finds that it has taken effect elsewhere.
 */
export class DecreeKeeper {
  readonly #options: DecreeKeeperOptions;
  #pending: Pending | undefined;
  /** From the last preparation: bytes of the state that its decree builds on. */
  #base: Uint8Array | undefined;
  #heard: Announced | undefined;
  #announcedMs = Number.NEGATIVE_INFINITY;
  #askedMs = Number.NEGATIVE_INFINITY;
  #wanted = 0;
  readonly #rivals: RivalDecrees;

  constructor(options: DecreeKeeperOptions) {
    this.#options = options;
    this.#rivals = new RivalDecrees(options);
    options.control.onFenced((generation) => {
      this.#wanted = Math.max(this.#wanted, generation);
    });
  }

  get pending(): PendingDecree | undefined {
    if (this.#pending === undefined) return undefined;
    const { decree, dueMs } = this.#pending;
    return { decree, leftMs: Math.max(0, dueMs - this.#options.clock.monotonicMs()) };
  }

  /** Members whose generation has the number of this one and was begun by another decree. */
  get rivals(): ReadonlySet<AgentKey> {
    return this.#rivals.known;
  }

  /** Looks at the logs of all members that answer, and writes what their operators would have to sign. */
  async prepare(request: {
    readonly voters: readonly AgentKey[];
    readonly reason: string;
    readonly noticeMs: number;
  }): Promise<PreparedDecree> {
    const { control, clock, entropy } = this.#options;
    const { generation, config } = control.status();
    const { best, asked } = await this.#longestLog();
    this.#requireAnswers(request.voters, asked);
    const decree: Decree = {
      generation: generation + 1,
      voters: [...request.voters].sort(),
      abandoned: config.voters.filter((voter) => !asked.includes(voter)).sort(),
      logSize: best.lastIndex,
      rootHash: best.state.hash(),
      reason: request.reason,
      noticeMs: request.noticeMs,
      announcedMs: clock.nowMs(),
    };
    this.#base = best.state.encode();
    const id = toHex(entropy.bytes(16)) as CommandId;
    const body = { kind: 'decree', ...decree } as const;
    const payload = encodeCommand({ id, timeMs: clock.nowMs(), body });
    return { payload, decree, asked };
  }

  /** Whoever does not answer is abandoned, and cannot be a voter as well. @throws HoldfastError peer-unreachable */
  #requireAnswers(voters: readonly AgentKey[], asked: readonly AgentKey[]): void {
    const { control, ledger } = this.#options;
    const silent = voters.find(
      (voter) => !asked.includes(voter) && control.status().config.voters.includes(voter),
    );
    if (silent === undefined) return;
    const name = ledger.roster.member(silent)?.name ?? shortId(silent);
    throw new HoldfastError(
      'peer-unreachable',
      `${name} does not answer: the decree would abandon it, and it cannot vote`,
      { next: `bring ${name} up, or leave it out of --voters` },
    );
  }

  /** Of the members that answer, the log that holds whatever may have been committed. */
  async #longestLog() {
    const { control, peers, ledger } = this.#options;
    let best = control.end();
    const asked: AgentKey[] = [control.self];
    for (const { agentKey, peerKey } of peers.reachable()) {
      const answer = await peers
        .ask(peerKey, { case: 'logEnd', value: {} })
        .catch((error: unknown) => {
          if (codeOf(error) === undefined) throw error;
          return undefined;
        });
      if (answer === undefined) continue;
      asked.push(agentKey);
      if (Number(answer.generation) !== best.generation) continue;
      if (best.generation > 1 && (await this.#rivals.isRival({ agentKey, peerKey }))) continue;
      const [lastTerm, lastIndex] = [Number(answer.lastTerm), Number(answer.lastIndex)];
      const isLonger =
        lastTerm > best.lastTerm || (lastTerm === best.lastTerm && lastIndex > best.lastIndex);
      if (!isLonger) continue;
      const { genesis } = ledger.roster;
      const bytes = await control.images.fetch(peerKey, answer.state);
      const state = ControlState.decode(bytes, genesis, ledger.cluster);
      best = { generation: best.generation, lastTerm, lastIndex, state };
    }
    return { best, asked };
  }

  /** Takes a signed decree that was prepared here, and announces it. @throws HoldfastError */
  async announce(envelope: Uint8Array): Promise<PendingDecree> {
    if (this.#base === undefined) {
      throw new HoldfastError(
        'not-found',
        'the decree was not prepared by this agent, or before its restart',
        {
          next: 'holdfast coordinator decree prepare',
        },
      );
    }
    return this.#take(envelope, this.#base);
  }

  /** Only what operators have signed is worth fetching a whole state for. @throws HoldfastError */
  #hear(envelope: Uint8Array, ref: ImageRef | undefined, peer: PeerKey): void {
    const { ledger, control } = this.#options;
    if (this.#isPending(envelope)) return;
    const { signers, command } = openCommand(envelope, ledger.cluster);
    control.state.authority.requireOperators(signers);
    if (command.body.kind !== 'decree' || !this.#isLatest(envelope, command.body)) return;
    this.#heard ??= { envelope, ref, peer };
  }

  /** Fetches the state of a decree that was announced here. */
  async #fetchHeard(options: Cancel): Promise<void> {
    const heard = this.#heard;
    this.#heard = undefined;
    if (heard === undefined || this.#isPending(heard.envelope)) return;
    const { envelope, ref, peer } = heard;
    this.#take(envelope, await this.#options.control.images.fetch(peer, ref, options));
  }

  #isPending(envelope: Uint8Array): boolean {
    return this.#pending !== undefined && equal(this.#pending.start.envelope, envelope);
  }

  /** Of two decrees that begin one generation all members must prefer the same: what operators have said last. */
  #isLatest(envelope: Uint8Array, { announcedMs }: Decree): boolean {
    if (this.#pending === undefined) return true;
    const { decree, start } = this.#pending;
    if (announcedMs !== decree.announcedMs) return announcedMs > decree.announcedMs;
    return compare(envelope, start.envelope) > 0;
  }

  #take(envelope: Uint8Array, base: Uint8Array): PendingDecree {
    const { clock, log } = this.#options;
    const { decree, start } = this.#judge(envelope, base);
    if (!this.#isPending(envelope)) {
      if (!this.#isLatest(envelope, decree)) throw refused('another was announced after it');
      this.#pending = { start, decree, dueMs: clock.monotonicMs() + decree.noticeMs };
      const { generation, reason, noticeMs } = decree;
      log.log('error', controlMessages.decreeAnnounced, { generation, reason, noticeMs });
    }
    return this.pending as PendingDecree;
  }

  /** @throws HoldfastError not-permitted | bad-signature | bad-encoding */
  #judge(envelope: Uint8Array, base: Uint8Array): Judged {
    const { ledger, control } = this.#options;
    const { genesis } = ledger.roster;
    const { body } = openCommand(envelope, ledger.cluster).command;
    if (body.kind !== 'decree') throw refused('it is no decree');
    if (body.generation <= control.status().generation) throw refused('its generation has begun');
    const old = ControlState.decode(base, genesis, ledger.cluster);
    if (!equal(old.hash(), body.rootHash)) throw refused('it was made for another log');
    const state = beginGeneration(old, envelope);
    const start = { generation: body.generation, envelope, base };
    return { decree: body, start, state };
  }

  /** Until the signal: announces, puts into force, and follows what is in force elsewhere. */
  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: controlMessages.decreeNotFollowed } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.#look(cancel), options);
  }

  async #look(options: Cancel): Promise<void> {
    await this.#fetchHeard(options);
    await this.#announceAgain(options);
    if (this.#isBehind || this.#isLeftAlone()) await this.#follow(options);
    // Where another one is in force already, this one would begin its generation a second time.
    if (this.pending?.leftMs === 0 && !this.#isBehind) await this.#enforce();
    await this.#rivals.look(options);
  }

  get #isBehind(): boolean {
    return this.#wanted > this.#options.control.status().generation;
  }

  /** No leader speaks to it. One that never votes would hear of a new generation from nobody. */
  #isLeftAlone(): boolean {
    const { clock, control } = this.#options;
    if (control.status().leader !== undefined) return false;
    if (clock.monotonicMs() - this.#askedMs < announcePeriodMs) return false;
    this.#askedMs = clock.monotonicMs();
    return true;
  }

  async #announceAgain(options: Cancel): Promise<void> {
    const { clock, peers, control } = this.#options;
    if (this.#pending === undefined) return;
    if (clock.monotonicMs() - this.#announcedMs < announcePeriodMs) return;
    this.#announcedMs = clock.monotonicMs();
    const { envelope, base } = this.#pending.start;
    const value = { envelope, base: control.images.offer(base) };
    const question = { case: 'decree', value } as const;
    const asked = peers.reachable().map(({ peerKey }) => peers.ask(peerKey, question, options));
    await Promise.allSettled(asked);
  }

  async #enforce(): Promise<void> {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    const { envelope, base } = pending.start;
    await this.#adopt(this.#judge(envelope, base));
  }

  async #adopt({ decree, start, state }: Judged): Promise<void> {
    const { control, generations, log } = this.#options;
    await generations.write(start);
    await control.adopt(state, decree.voters);
    this.#pending = undefined;
    this.#rivals.forget();
    log.log('error', controlMessages.decreeInForce, { generation: decree.generation });
    // The log of a generation begins with its decree; whoever leads first says so.
    const stop = control.onStatus(() => {
      if (!control.isLeading) return;
      stop();
      void control.offerHere(start.envelope);
    });
  }

  async #follow(options: Cancel): Promise<void> {
    const { peers, control } = this.#options;
    for (const { peerKey } of peers.reachable()) {
      const answer = await peers
        .ask(peerKey, { case: 'generation', value: {} }, options)
        .catch(() => undefined);
      if (answer === undefined) continue;
      if (Number(answer.generation) <= control.status().generation) continue;
      const base = await control.images.fetch(peerKey, answer.base, options);
      await this.#adopt(this.#judge(answer.envelope.slice(), base));
      return;
    }
  }

  /** Lets other members ask and tell. */
  answer(serve: Pick<Serve, 'register'>): void {
    const { control, generations } = this.#options;
    serve.register('logEnd', async () => {
      const { generation, lastTerm, lastIndex, state } = control.end();
      return {
        generation: BigInt(generation),
        lastTerm: BigInt(lastTerm),
        lastIndex: BigInt(lastIndex),
        state: control.images.offer(state.encode()),
      };
    });
    serve.register('decree', async ({ envelope, base }, { peer }) => {
      this.#hear(envelope.slice(), base, peer);
      return {};
    });
    serve.register('generation', async () => {
      const start = await generations.read();
      if (start === undefined) return {};
      const { generation, envelope, base } = start;
      return { generation: BigInt(generation), envelope, base: control.images.offer(base) };
    });
  }
}

function refused(why: string): HoldfastError {
  return new HoldfastError('not-permitted', `the decree is refused: ${why}`);
}
