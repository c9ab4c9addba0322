import { equal } from '../base/bytes.ts';
import { mapLimit, Semaphore } from '../base/concurrency.ts';
import { type ErrorCode, HoldfastError } from '../core/errors.ts';
import { clusterStream, drillStream, receiptStream } from '../core/format/statement.ts';
import {
  type AgentKey,
  type DatasetId,
  type FactHash,
  idBytes,
  type PeerKey,
} from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { networkMessages } from '../core/log-messages/network.ts';
import type { StreamHead } from '../core/protocol/stream-heads.ts';
import type { Network } from '../ports/network.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { FactStore } from '../ports/statement-log.ts';
import { FactNeeds } from './fact-needs.ts';
import { forkedStream } from './fork-book.ts';
import { Gossip } from './gossip.ts';
import { headPages } from './head-pages.ts';
import type { Ledger } from './ledger.ts';
import type { Peers } from './peers.ts';
import type { StatementBudget } from './statement-budget.ts';

export type SyncOptions = {
  readonly network: Network;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly facts: FactStore;
  /** How much each writer may say; undefined: whatever it likes. */
  readonly budget?: Pick<StatementBudget, 'room' | 'hasFactRoom' | 'delay' | 'charge'> | undefined;
  /** Own statements came from others that were missing here: this host's disk went back in time. */
  readonly onOwnLearnt?: (stream: string, count: number) => void;
  /** A peer has handed out what cannot be true. */
  readonly onRefused?: (peer: PeerKey, code: ErrorCode, reason: string) => void;
  readonly clock: Clock;
  readonly logger?: Log;
};

export type SyncProgress = { readonly statements: number; readonly facts: number };

/** Peers asked at once: the answers of more would only wait for the ledger. */
const peersAtOnce = 3;
/** Requests for one sequence in one round: a writer that signs faster than we read must not hold us for ever. */
const requestsPerStreamMax = 64;
/** How often the first append looks whether own statements have been confirmed. */
const confirmStepMs = 50;

/**
 * Anti-entropy: since each writer's statements form one sequence, comparing heads says exactly what is
 * missing. Gossip only makes it sooner; rounds with every reachable peer make it certain.
 *
 * A peer is believed nothing. Its heads choose what to ask for, among sequences of writers that the roster
 * knows; what it sends is checked by the ledger, and a sequence is left alone for this round at the first
 * statement that does not help. So a lying peer costs one useless request for each known sequence and round.
 */
export class Sync implements AsyncDisposable {
  readonly #options: SyncOptions;
  readonly #needs: FactNeeds;
  readonly #gossip: Gossip;
  readonly #slots = new Semaphore(peersAtOnce);
  readonly #stop = new AbortController();
  readonly #cancel: Cancel = { signal: this.#stop.signal };
  readonly #tasks = new Set<Promise<void>>();
  readonly #waiting = new Set<PeerKey>();
  /** What each peer had when it was last asked. */
  readonly #heads = new Map<PeerKey, Map<string, number>>();
  /** Peers that have been asked for our own statements since the start. */
  readonly #confirmed = new Set<PeerKey>();
  readonly #problems = new Map<PeerKey, string>();
  readonly #release: (() => void)[] = [];

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#needs = new FactNeeds(options);
    this.#gossip = new Gossip({
      ...options,
      signal: this.#stop.signal,
      onNews: (from, heads) => this.#hear(from, heads),
    });
    // Here and not in start(): nothing may be signed before it, whatever is started first.
    options.ledger.beforeFirstAppend(() => this.#confirmOwn());
    const stop = options.ledger.onStatement(({ statement: { writer, stream }, envelope }) => {
      options.budget?.charge(writer, { statements: 1, bytes: envelope.length, stream });
    });
    this.#release.push(stop);
  }

  /** Follows connections, gossip and time until disposed. */
  start(): void {
    const { network } = this.#options;
    this.#release.push(
      network.onConnection(({ peer, isConnected }) => {
        if (isConnected && this.#isMember(peer)) this.#request(peer);
      }),
      this.#gossip.start(),
    );
    this.#run(this.#loop());
  }

  /**
   * Learns everything that this peer knows and this host does not.
   * @throws HoldfastError peer-unreachable | timeout | bad-encoding | not-permitted
   */
  async withPeer(peer: PeerKey): Promise<SyncProgress> {
    const release = await this.#slots.acquire();
    try {
      let statements = 0;
      const named = new Set<string>();
      for await (const page of headPages(this.#options.peers, peer, this.#cancel)) {
        this.#keepHeads(peer, page, named);
        statements += await this.#pullAll(peer, page);
      }
      const held = this.#heads.get(peer);
      for (const name of held?.keys() ?? []) if (!named.has(name)) held?.delete(name);
      this.#confirmed.add(peer);
      const facts = await this.#needs.pullFrom(peer, this.#cancel);
      this.#problems.delete(peer);
      return { statements, facts };
    } finally {
      release();
    }
  }

  /** Facts that this peer should have and this host needs now; `writer`: whose budget they count against. @throws as `withPeer` */
  pullFacts(peer: PeerKey, hashes: readonly FactHash[], writer?: AgentKey): Promise<void> {
    return this.#needs.pullThese(peer, { hashes, writer }, this.#cancel);
  }

  /** Why no more statements of a sequence are taken today; undefined: they are. See StatementBudget. */
  objection(writer: AgentKey, stream: string): string | undefined {
    const { budget } = this.#options;
    if (budget === undefined || budget.room(writer, stream) > 0) return undefined;
    return budget.delay(writer, stream);
  }

  /** Statements known here that the peer lacked when it was last asked; undefined when it never was. */
  lag(peer: PeerKey): number | undefined {
    const theirs = this.#heads.get(peer);
    if (theirs === undefined) return undefined;
    return this.#options.ledger
      .heads()
      .filter(({ stream }) => forkedStream(stream) === undefined)
      .reduce((sum, head) => sum + Math.max(0, head.sequence - (theirs.get(nameOf(head)) ?? 0)), 0);
  }

  /** Of sequences that nobody here knows or wants nothing is kept: a peer may invent as many as it likes. */
  #keepHeads(peer: PeerKey, page: readonly StreamHead[], named: Set<string>): void {
    const held = this.#heads.get(peer) ?? new Map<string, number>();
    this.#heads.set(peer, held);
    for (const { writer, stream, sequence } of page) {
      const isKnown = this.#options.ledger.head(writer, stream) !== undefined;
      if (!isKnown && !this.#isWanted(writer, stream)) continue;
      const name = nameOf({ writer, stream });
      named.add(name);
      held.set(name, sequence);
    }
  }

  /** Cluster streams first, and again while they bring anything: an admission lets other sequences in. */
  async #pullAll(peer: PeerKey, heads: readonly StreamHead[]): Promise<number> {
    const rest = heads.filter(({ stream }) => stream !== clusterStream);
    const manifestsFirst = rest.toSorted((a, b) => phaseOf(a.stream) - phaseOf(b.stream));
    const cluster = heads.filter(({ stream }) => stream === clusterStream);
    let count = 0;
    for (let more = await this.#pullEach(peer, cluster); more > 0; ) {
      count += more;
      more = await this.#pullEach(peer, cluster);
    }
    return count + (await this.#pullEach(peer, manifestsFirst));
  }

  async #pullEach(peer: PeerKey, heads: readonly StreamHead[]): Promise<number> {
    let count = 0;
    for (const head of heads) {
      if (this.#isWanted(head.writer, head.stream)) count += await this.#pullStream(peer, head);
    }
    return count;
  }

  /** Only what could be accepted: a peer cannot make us ask for sequences that it has invented. */
  #isWanted(writer: AgentKey, stream: string): boolean {
    const { roster } = this.#options.ledger;
    if (this.#options.ledger.isFrozen(writer, stream)) return false;
    const isKnown = roster.isOperator(writer) || roster.anybody(writer) !== undefined;
    if (stream === clusterStream) return isKnown;
    if (stream === receiptStream || stream === drillStream) {
      return roster.member(writer) !== undefined;
    }
    const forked = forkedStream(stream);
    if (forked !== undefined) {
      return forkedStream(forked) === undefined && this.#isWanted(writer, forked);
    }
    const dataset = stream.slice('manifests/'.length) as DatasetId;
    // What its writer has said since it may write no more would be refused again and again.
    const cut = roster.log.cut(writer, dataset);
    if (cut !== undefined && (this.#options.ledger.head(writer, stream)?.sequence ?? 0) >= cut) {
      return false;
    }
    return roster.datasetOf(writer, dataset) !== undefined;
  }

  async #pullStream(peer: PeerKey, head: StreamHead): Promise<number> {
    const { ledger } = this.#options;
    if (forkedStream(head.stream) !== undefined) return this.#pullRange(peer, head, head.sequence);
    const held = await ledger.hashAt(head.writer, head.stream, head.sequence);
    // Two histories: the entry that differs is the proof.
    if (held !== undefined)
      return equal(held, head.hash) ? 0 : this.#pullRange(peer, head, head.sequence);
    let count = 0;
    for (let i = 0; i < requestsPerStreamMax; i++) {
      const own = ledger.head(head.writer, head.stream)?.sequence ?? 0;
      if (own >= head.sequence) break;
      const room = this.#room(head, own);
      if (room === 0) break;
      const more = await this.#pullRange(peer, head, own + 1, room);
      if (more === 0) break;
      count += more;
    }
    const isOwn = head.writer === ledger.self && count > 0;
    if (isOwn) this.#options.onOwnLearnt?.(head.stream, count);
    return count;
  }

  /**
   * How many statements from the first missing one on may be asked for now. What most others have taken has
   * passed their budgets: it is counted here, and not held up.
   */
  #room({ writer, stream }: StreamHead, held: number): number {
    const { budget } = this.#options;
    const room = budget?.room(writer, stream) ?? Number.POSITIVE_INFINITY;
    if (room > 0) return room;
    const witnessed = this.#witnessed(writer, stream) - held;
    if (witnessed <= 0) budget?.delay(writer, stream);
    return Math.max(0, witnessed);
  }

  /** Up to where most of the others have a sequence, by their word; 0 where there are no others. */
  #witnessed(writer: AgentKey, stream: string): number {
    const { ledger } = this.#options;
    const name = nameOf({ writer, stream });
    const sequences = ledger.roster
      .members()
      .filter(({ agentKey }) => agentKey !== writer && agentKey !== ledger.self)
      .map(({ peerKey }) => this.#heads.get(peerKey)?.get(name) ?? 0)
      .sort((a, b) => b - a);
    return sequences[sequences.length >> 1] ?? 0;
  }

  /** One request. @returns how many statements were new and accepted. */
  async #pullRange(peer: PeerKey, head: StreamHead, from: number, most = 1): Promise<number> {
    const { peers, ledger } = this.#options;
    const count = Math.min(most, limits.statementsPerResponse, head.sequence - from + 1);
    const value = { writer: idBytes(head.writer), stream: head.stream, from: BigInt(from), count };
    const answer = await peers.ask(peer, { case: 'statements', value }, this.#cancel);
    let accepted = 0;
    for (const envelope of answer.envelopes.slice(0, count)) {
      // A view of the whole response would stay in memory with it.
      const result = await ledger.ingest(envelope.slice());
      if (result.outcome === 'refused') this.#noteRefusal(peer, head, result);
      if (result.outcome === 'refused' || result.outcome === 'gap') break;
      if (result.outcome === 'accepted') accepted++;
    }
    return accepted;
  }

  #noteRefusal(
    peer: PeerKey,
    { writer, stream }: StreamHead,
    { code, reason }: { readonly code: ErrorCode; readonly reason: string },
  ): void {
    const context = { peer, writer, stream, reason };
    this.#options.onRefused?.(peer, code, reason);
    this.#options.logger?.log('debug', networkMessages.statementRefused, context);
  }

  #isMember(peer: PeerKey): boolean {
    return this.#options.ledger.roster.memberByPeer(peer) !== undefined;
  }

  /** Gossip names heads: asks who sent it, when they are ahead of ours. */
  #hear(from: PeerKey, heads: readonly StreamHead[]): void {
    if (!this.#options.peers.isReachable(from)) return;
    const theirs = this.#heads.get(from);
    for (const head of heads) theirs?.set(nameOf(head), head.sequence);
    const { ledger } = this.#options;
    const isAhead = ({ writer, stream, sequence }: StreamHead): boolean =>
      this.#isWanted(writer, stream) && sequence > (ledger.head(writer, stream)?.sequence ?? 0);
    if (heads.some(isAhead)) this.#request(from);
  }

  /** A round with the peer soon; one that has not begun yet serves all who asked for it. */
  #request(peer: PeerKey): void {
    if (this.#waiting.has(peer)) return;
    this.#waiting.add(peer);
    this.#run(this.#round(peer));
  }

  async #round(peer: PeerKey): Promise<void> {
    this.#waiting.delete(peer);
    try {
      await this.withPeer(peer);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#confirmed.add(peer);
      this.#noteProblem(peer, error);
    }
  }

  /** Once per change: a peer that is away for a week is one line. */
  #noteProblem(peer: PeerKey, error: HoldfastError): void {
    if (this.#stop.signal.aborted || this.#problems.get(peer) === error.code) return;
    this.#problems.set(peer, error.code);
    const context = { peer, code: error.code, problem: error.message };
    this.#options.logger?.log('warn', networkMessages.statementsNotExchanged, context);
  }

  async #loop(): Promise<void> {
    const { clock, peers } = this.#options;
    const { signal } = this.#stop;
    for (let round = 0; !signal.aborted; round++) {
      const reachable = peers.reachable().map(({ peerKey }) => peerKey);
      await mapLimit(reachable, peersAtOnce, (peer) => this.#round(peer));
      await clock.sleep(this.#pauseMs(round), { signal });
    }
  }

  /** Spread, so that hosts that started together do not all ask together: by a key, so that no chance is needed. */
  #pauseMs(round: number): number {
    const spread = (idBytes(this.#options.network.self)[round % 32] as number) / 255;
    return Math.round(limits.syncPeriodMs * (0.75 + spread / 2));
  }

  /**
   * Resolves when every reachable peer has been asked for our own statements (or could not be), at least one;
   * when nobody else is a member; or after one period, since an agent must also be able to work alone.
   */
  async #confirmOwn(): Promise<void> {
    const { ledger, clock, peers, network, logger } = this.#options;
    const isAlone = (): boolean =>
      ledger.roster.members().every(({ peerKey }) => peerKey === network.self);
    const isConfirmed = (): boolean =>
      this.#confirmed.size > 0 &&
      peers.reachable().every(({ peerKey }) => this.#confirmed.has(peerKey));
    const untilMs = clock.monotonicMs() + limits.syncPeriodMs;
    while (!isAlone() && !isConfirmed()) {
      if (clock.monotonicMs() >= untilMs) {
        logger?.log('warn', networkMessages.headNotConfirmed);
        return;
      }
      await clock.sleep(confirmStepMs, { signal: this.#stop.signal });
    }
  }

  #run(work: Promise<void>): void {
    const task = work.catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const release of this.#release) release();
    this.#stop.abort(new HoldfastError('interrupted', 'the agent is stopping'));
    await Promise.all(this.#tasks);
    await this.#gossip[Symbol.asyncDispose]();
  }
}

function nameOf({ writer, stream }: { writer: string; stream: string }): string {
  return `${writer}/${stream}`;
}

function phaseOf(stream: string): number {
  if (stream.startsWith('manifests/')) return 0;
  return stream === receiptStream ? 1 : 2;
}
