import { minuteMs } from '../base/units.ts';
import { HoldfastError } from '../core/errors.ts';
import { decodeResponse, encodeRequest, throwFailure } from '../core/format/exchange.ts';
import { multiaddrsMax } from '../core/format/member.ts';
import { clusterStream } from '../core/format/statement.ts';
import type { PeerKey, TraceId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { networkMessages } from '../core/log-messages/network.ts';
import type { Answer, ExchangeKind, Question } from '../core/protocol/exchange-kinds.ts';
import type { Member } from '../core/protocol/roster.ts';
import { traceBytes } from '../core/trace-id.ts';
import type { Connection, Network } from '../ports/network.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { Ledger } from './ledger.ts';

export type PeersOptions = {
  readonly network: Network;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** Of this program. */
  readonly version: string;
  readonly logger?: Log;
};

/** What is known of a member right now; undefined: not known. */
export type PeerFacts = {
  readonly member: Member;
  readonly state: 'self' | 'connected' | 'unreachable';
  readonly path: 'direct' | 'relayed' | '-';
  /** Why that path; undefined: there is none, or nothing to say. */
  readonly pathReason: string | undefined;
  readonly address: string;
  readonly freeBytes: number | undefined;
  readonly shards: number | undefined;
  readonly shardBytes: number | undefined;
  /** Of its disk, to stay free. */
  readonly reserveBytes: number | undefined;
  /** Of shards, at most. */
  readonly quotaBytes: number | undefined;
  readonly lastSeenMs: number | undefined;
  readonly clockSkewMs: number | undefined;
  readonly version: string | undefined;
};

type Greeting = {
  readonly version: string;
  readonly freeBytes: number;
  readonly shards: number;
  readonly shardBytes: number;
  readonly reserveBytes: number | undefined;
  readonly quotaBytes: number | undefined;
  readonly clockSkewMs: number;
  /** What its clock said, and this host's monotonic one at that moment. */
  readonly timeMs: number;
  readonly heardMs: number;
};

/** An address that comes and goes (a dial-up, a mobile link) must not fill everybody's log. */
const addressPeriodMs = 60_000;
/** A few greetings may be lost before a peer's word on the time is stale. */
const clockAgeMaxMs = minuteMs;

/** The other members: asking them, and what is known of them. */
export class Peers implements AsyncDisposable {
  readonly #options: PeersOptions;
  readonly #greetings = new Map<PeerKey, Greeting>();
  readonly #lastSeenMs = new Map<PeerKey, number>();
  readonly #stop = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  #release: (() => void)[] = [];
  #addressSaidMs: number | undefined;
  #kept = '';

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** Follows connections and the roster until disposed. */
  start(): void {
    const { network, ledger } = this.#options;
    this.#release = [
      network.onConnection(({ peer, isConnected }) => {
        this.#lastSeenMs.set(peer, this.#options.clock.nowMs());
        if (isConnected && ledger.roster.memberByPeer(peer)) this.#run(() => this.greet(peer));
      }),
      ledger.onStatement(({ statement }) => {
        const { kind } = statement.body;
        if (kind === 'admission' || kind === 'address') this.#keepMembers();
        if (kind === 'admission' || kind === 'invite' || kind === 'proved-invite')
          this.#run(() => network.enforceAdmission());
      }),
    ];
    this.#keepMembers();
    this.#run(() => this.#loop());
  }

  /**
   * One request to a peer. @returns the value of the answer, which is of the kind that was asked.
   * @throws HoldfastError of the code that the peer sent; peer-unreachable, timeout; bad-encoding
   */
  async ask<Kind extends ExchangeKind>(
    peer: PeerKey,
    question: Question<Kind>,
    { trace, ...options }: Cancel & { timeoutMs?: number; trace?: TraceId | undefined } = {},
  ): Promise<Answer<Kind>> {
    const message = { body: question, trace: traceBytes(trace) };
    const request = encodeRequest(message as Parameters<typeof encodeRequest>[0]);
    const timeoutMs = options.timeoutMs ?? limits.requestTimeoutMs;
    const reply = await this.#options.network.call(peer, request, { ...options, timeoutMs });
    const response = decodeResponse(reply);
    throwFailure(response);
    if (response.body.case !== question.case) {
      throw new HoldfastError('bad-encoding', `the peer did not answer a ${question.case} request`);
    }
    this.#lastSeenMs.set(peer, this.#options.clock.nowMs());
    return response.body.value as Answer<Kind>;
  }

  /** Says hello, and keeps what the peer says of itself. @throws as `ask` */
  async greet(peer: PeerKey, options: Cancel = {}): Promise<Answer<'hello'>> {
    const { clock, version } = this.#options;
    const askedMs = clock.nowMs();
    const askedMonotonicMs = clock.monotonicMs();
    const value = { version, timeMs: BigInt(askedMs) };
    const answer = await this.ask(peer, { case: 'hello', value }, options);
    // The peer read its clock about half a round trip ago.
    const middleMs = (askedMs + clock.nowMs()) / 2;
    this.#greetings.set(peer, {
      version: answer.version.slice(0, 64),
      freeBytes: Number(answer.freeBytes),
      shards: Number(answer.shardCount),
      shardBytes: Number(answer.shardBytes),
      reserveBytes: answer.reserveBytes === undefined ? undefined : Number(answer.reserveBytes),
      quotaBytes: answer.quotaBytes === undefined ? undefined : Number(answer.quotaBytes),
      clockSkewMs: Math.round(Number(answer.timeMs) - middleMs),
      timeMs: Number(answer.timeMs),
      heardMs: (askedMonotonicMs + clock.monotonicMs()) / 2,
    });
    return answer;
  }

  /** Other members that a connection stands to. */
  reachable(): readonly Member[] {
    const { network, ledger } = this.#options;
    const connected = new Set(network.connections().map(({ peer }) => peer));
    return ledger.roster
      .members()
      .filter(({ peerKey }) => peerKey !== network.self && connected.has(peerKey));
  }

  /** A connection stands to this peer, member or not. */
  isReachable(peer: PeerKey): boolean {
    return this.#options.network.connections().some((connection) => connection.peer === peer);
  }

  /** What the peer last said of its free space; undefined: it has not said. */
  freeBytes(peer: PeerKey): number | undefined {
    return this.#greetings.get(peer)?.freeBytes;
  }

  /** What the clocks of others say now, by their last word, if that is fresh. */
  clocks(): { site: string; nowMs: number }[] {
    const monotonicMs = this.#options.clock.monotonicMs();
    return this.reachable().flatMap(({ peerKey, site }) => {
      const greeting = this.#greetings.get(peerKey);
      if (greeting === undefined || monotonicMs - greeting.heardMs > clockAgeMaxMs) return [];
      return [{ site, nowMs: Math.floor(greeting.timeMs + monotonicMs - greeting.heardMs) }];
    });
  }

  /** Every member, this host among them. */
  report(): readonly PeerFacts[] {
    const connections = this.#options.network.connections();
    return this.#options.ledger.roster.members().map((member): PeerFacts => {
      const { peerKey } = member;
      const open = connections.filter(({ peer }) => peer === peerKey);
      const connection = open.find(({ path }) => path === 'direct') ?? open[0];
      const greeting = this.#greetings.get(peerKey);
      const isSelf = peerKey === this.#options.network.self;
      return {
        member,
        state: isSelf ? 'self' : connection === undefined ? 'unreachable' : 'connected',
        path: connection?.path ?? '-',
        pathReason: connection === undefined ? undefined : this.#reasonFor(connection),
        address: connection?.address ?? member.addresses[0] ?? '',
        freeBytes: greeting?.freeBytes,
        shards: greeting?.shards,
        shardBytes: greeting?.shardBytes,
        reserveBytes: greeting?.reserveBytes,
        quotaBytes: greeting?.quotaBytes,
        lastSeenMs: this.#lastSeenMs.get(peerKey),
        clockSkewMs: greeting?.clockSkewMs,
        version: greeting?.version ?? (member.version === '' ? undefined : member.version),
      };
    });
  }

  #reasonFor({ path, openedBy, relay, obstacle, address }: Connection): string {
    if (path === 'direct') {
      return openedBy === 'peer' ? 'it has dialled this host' : `dialled at ${address}`;
    }
    const { roster } = this.#options.ledger;
    const name = roster.members().find(({ peerKey }) => peerKey === relay)?.name ?? 'a relay';
    const why = obstacle ?? 'no direct way was tried yet';
    return `through ${name}: ${openedBy === 'peer' ? 'it came that way; ' : ''}${why}`;
  }

  /** Whoever is no member any more is cut off at once, also in the middle of a transfer. */
  membersChanged(): void {
    this.#keepMembers();
    this.#run(() => this.#options.network.enforceAdmission());
  }

  async #loop(): Promise<void> {
    const { clock, network } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#run(() => this.#sayAddress());
      // Invites end by themselves.
      this.#run(() => network.enforceAdmission());
      for (const { peerKey } of this.reachable()) this.#run(() => this.greet(peerKey, { signal }));
      await clock.sleep(limits.syncPeriodMs, { signal });
    }
  }

  /** Tells everybody where this host is, when that or its version has changed. */
  async #sayAddress(): Promise<void> {
    const { network, ledger, clock, version } = this.#options;
    await ledger.ready();
    const self = ledger.self === undefined ? undefined : ledger.roster.member(ledger.self);
    if (self === undefined) return;
    const multiaddrs = network.addresses().slice(0, multiaddrsMax);
    const isSame = multiaddrs.toSorted().join() === self.addresses.toSorted().join();
    if (version === self.version && (isSame || multiaddrs.length === 0)) return;
    const nowMs = clock.monotonicMs();
    if (this.#addressSaidMs !== undefined && nowMs - this.#addressSaidMs < addressPeriodMs) return;
    this.#addressSaidMs = nowMs;
    await ledger.append(clusterStream, { kind: 'address', multiaddrs, version });
  }

  #keepMembers(): void {
    const { network, ledger } = this.#options;
    const peers = ledger.roster
      .members()
      .filter(({ peerKey }) => peerKey !== network.self)
      .map(({ peerKey, addresses }) => ({ peer: peerKey, addresses }));
    const text = JSON.stringify(peers);
    if (text === this.#kept) return;
    this.#kept = text;
    network.keep(peers);
  }

  /** In the background, until disposed. A peer that fails is met again in the next period. */
  #run(work: () => Promise<unknown>): void {
    const task = work().then(
      () => {},
      (error: unknown) => {
        if (this.#stop.signal.aborted) return;
        const context = { problem: error instanceof Error ? error.message : String(error) };
        this.#options.logger?.log('debug', networkMessages.peerNotFollowed, context);
      },
    );
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const release of this.#release) release();
    this.#stop.abort(new HoldfastError('interrupted', 'the agent is stopping'));
    await Promise.all(this.#tasks);
  }
}
