import { assert, assertNever } from '../base/assert.ts';
import { type ErrorCode, HoldfastError } from '../core/errors.ts';
import { decodeRequest, encodeResponse, failureResponse } from '../core/format/exchange.ts';
import { idField, textLike } from '../core/format/field.ts';
import { type AgentKey, idOf, type PeerKey, shortId, type TraceId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { networkMessages } from '../core/log-messages/network.ts';
import type { AnswerInit, AskedValue, ExchangeKind } from '../core/protocol/exchange-kinds.ts';
import type { Member } from '../core/protocol/roster.ts';
import { headMessage, headPage } from '../core/protocol/stream-heads.ts';
import { traceFrom } from '../core/trace-id.ts';
import type { Network } from '../ports/network.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { Audit } from './audit/audit-log.ts';
import type { Ledger } from './ledger.ts';

export type ServeOptions = {
  readonly network: Network;
  readonly ledger: Ledger;
  readonly facts: FactStore;
  readonly clock: Clock;
  readonly version: string;
  /** What this host stores for others; absent when it stores nothing. */
  readonly usage?: () => StorageUse;
  readonly logger?: Log;
  readonly audit?: Audit;
  /** Whoever asked has tried what it may not, or sent what cannot be true. */
  readonly onRefused?: (peer: PeerKey, code: ErrorCode, reason: string) => void;
};

export type StorageUse = {
  readonly shards: number;
  readonly bytes: number;
  readonly freeBytes: number;
  /** Of its disk stays free. */
  readonly reserveBytes?: number;
  /** Of shards, at most. */
  readonly quotaBytes?: number;
};

/** Who asks, as its connection proves. */
export type Caller = Cancel & {
  readonly peer: PeerKey;
  readonly access: 'member' | 'invite' | 'recovery';
  /** Set when, and only when, access is 'member'. */
  readonly member?: Member;
  /** Of which backup or restore it says this is part: for the log alone. */
  readonly trace?: TraceId;
};

export type Handler<Kind extends ExchangeKind> = (
  value: AskedValue<Kind>,
  caller: Caller,
) => Promise<AnswerInit<Kind>>;

type BuiltIn = 'hello' | 'heads' | 'statements' | 'facts';
type Handlers = { [Kind in ExchangeKind]?: Handler<Kind> };

/** What callers that are not members may ask for: a kit reads everything, an invite only joins. */
const allowed: Readonly<Record<'invite' | 'recovery', ReadonlySet<ExchangeKind>>> = {
  invite: new Set(['hello', 'join']),
  recovery: new Set([
    ...(['hello', 'heads', 'statements', 'facts', 'head', 'keyRecord'] as const),
    ...(['controlLog', 'image', 'generation', 'cold'] as const),
  ]),
};

/** Of a peer that has tried what it may not, or sent what cannot be true. */
const suspicious: ReadonlySet<ErrorCode> = new Set([
  'not-permitted',
  'invite-unknown',
  'invite-used',
  'bad-signature',
  'equivocation',
  'rollback',
]);

const nothingStored: StorageUse = { shards: 0, bytes: 0, freeBytes: 0 };

/** Room for tags and lengths beside the payload of a response. */
const payloadSizeMax = limits.messageSizeMax - 16 * 1024;
/** Heads of one page: each takes at most 160 bytes. */
const headsMax = Math.floor(payloadSizeMax / 160);
/** Envelopes read from the log at once: few, since each may have limits.envelopeSizeMax bytes. */
const readStep = 16;

/** Answers peers: finds out who asks, whether it may, and who answers. */
export class Serve {
  readonly #options: ServeOptions;
  readonly #handlers: Handlers;

  constructor(options: ServeOptions) {
    this.#options = options;
    this.#handlers = {
      hello: async () => this.#hello(),
      heads: async (value) => this.#heads(value),
      statements: (value) => this.#statements(value),
      facts: (value) => this.#facts(value),
    };
  }

  /** Starts answering. Kinds that nobody has registered are refused. */
  start(): void {
    this.#options.network.serveCalls((peer, request, cancel) =>
      this.#answer(peer, request, cancel),
    );
  }

  /** Says who answers a kind. Once for each. */
  register<Kind extends Exclude<ExchangeKind, BuiltIn>>(kind: Kind, handler: Handler<Kind>): void {
    assert(this.#handlers[kind] === undefined, 'each kind of request has one handler');
    Object.assign(this.#handlers, { [kind]: handler });
  }

  /** What a peer may ask for here, now. Pulls are for members and the recovery kit. */
  callerOf(peer: PeerKey): Caller | undefined {
    const { roster } = this.#options.ledger;
    const access = roster.mayConnect(peer, this.#options.clock.nowMs());
    if (access === undefined) return undefined;
    const member = roster.memberByPeer(peer);
    return { peer, access, ...(member === undefined ? {} : { member }) };
  }

  async #answer(peer: PeerKey, bytes: Uint8Array, cancel: Cancel): Promise<Uint8Array> {
    let asked = 'a request';
    let trace: TraceId | undefined;
    try {
      const { body, trace: said } = decodeRequest(bytes);
      trace = traceFrom(said);
      asked = body.case ?? asked;
      if (body.case === undefined) {
        throw new HoldfastError('bad-encoding', 'the request is of a kind that is not known here');
      }
      const known = this.callerOf(peer);
      if (known === undefined && body.case === 'join') {
        throw new HoldfastError('invite-unknown', 'no open invite has this key');
      }
      if (known === undefined || !mayAsk(known, body.case)) {
        throw new HoldfastError('not-permitted', `you may not ask for: ${body.case}`);
      }
      return encodeResponse(
        await this.#dispatch(body.case, body.value, {
          ...known,
          ...cancel,
          ...(trace && { trace }),
        }),
      );
    } catch (error) {
      this.#note({ peer, asked, trace }, error);
      return encodeResponse(failureResponse(error));
    }
  }

  async #dispatch<Kind extends ExchangeKind>(
    kind: Kind,
    value: unknown,
    caller: Caller,
  ): Promise<Parameters<typeof encodeResponse>[0]> {
    const handler = this.#handlers[kind] as Handler<Kind> | undefined;
    if (handler === undefined) {
      throw new HoldfastError('not-permitted', `this agent does not answer: ${kind}`);
    }
    const answer = await handler(value as AskedValue<Kind>, caller);
    return { body: { case: kind, value: answer } } as Parameters<typeof encodeResponse>[0];
  }

  /** Peers that try what they may not are remembered; those that ask for what is not here are not. */
  #note(
    { peer, asked, trace }: { peer: PeerKey; asked: string; trace: TraceId | undefined },
    error: unknown,
  ): void {
    const isExpected = error instanceof HoldfastError;
    const problem = error instanceof Error ? error.message : String(error);
    this.#options.logger?.log(isExpected ? 'debug' : 'error', networkMessages.requestNotAnswered, {
      ...{ peer, problem },
      ...(trace && { trace }),
    });
    if (!isExpected || !suspicious.has(error.code)) return;
    const actor = this.#options.ledger.roster.memberByPeer(peer)?.name ?? shortId(peer);
    const event = { actor, action: `asked for: ${asked}`, subject: '', detail: problem } as const;
    this.#options.audit?.({ ...event, kind: 'refusal', outcome: 'refused' });
    this.#options.onRefused?.(peer, error.code, problem);
  }

  #hello(): AnswerInit<'hello'> {
    const { ledger, version, clock } = this.#options;
    const usage = this.#options.usage?.() ?? nothingStored;
    return {
      genesis: ledger.genesisBytes,
      version,
      timeMs: BigInt(clock.nowMs()),
      freeBytes: BigInt(Math.floor(usage.freeBytes)),
      shardCount: BigInt(usage.shards),
      shardBytes: BigInt(usage.bytes),
      ...(usage.reserveBytes !== undefined && { reserveBytes: BigInt(usage.reserveBytes) }),
      ...(usage.quotaBytes !== undefined && { quotaBytes: BigInt(usage.quotaBytes) }),
    };
  }

  /** As many as fit: the caller asks again from where they end. */
  #heads({ afterWriter, afterStream }: AskedValue<'heads'>): AnswerInit<'heads'> {
    const isFirst = afterWriter.length === 0 && afterStream === '';
    const after = isFirst
      ? undefined
      : {
          writer: idField<AgentKey>(afterWriter, 32, 'writer of a head'),
          stream: textLike(afterStream, /^[a-z0-9/]{1,64}$/, 'stream of a head'),
        };
    const page = headPage(this.#options.ledger.heads(), { after, countMax: headsMax });
    return { heads: page.heads.map(headMessage), more: page.more };
  }

  /** As many as are asked for, held, and fit: the caller asks again from where they end. */
  async #statements(asked: AskedValue<'statements'>): Promise<AnswerInit<'statements'>> {
    if (asked.writer.length !== 32 || asked.from < 1n || asked.from > 2n ** 48n) {
      throw new HoldfastError('bad-encoding', 'no sequence has such entries');
    }
    const writer = idOf<AgentKey>(asked.writer);
    const stream = textLike(asked.stream, /^[a-z0-9/]{1,64}$/, 'stream');
    const count = Math.min(asked.count, limits.statementsPerResponse);
    const envelopes: Uint8Array[] = [];
    for (let size = 0; envelopes.length < count; ) {
      const from = Number(asked.from) + envelopes.length;
      const step = Math.min(readStep, count - envelopes.length);
      const more = await this.#options.ledger.read(writer, stream, from, step);
      for (const envelope of more) {
        size += envelope.length + 8;
        if (size > payloadSizeMax) return { envelopes };
        envelopes.push(envelope);
      }
      if (more.length < step) return { envelopes };
    }
    return { envelopes };
  }

  async #facts({ hashes }: AskedValue<'facts'>): Promise<AnswerInit<'facts'>> {
    if (hashes.length > limits.factsPerRequest) {
      throw new HoldfastError('limit-exceeded', `at most ${limits.factsPerRequest} facts at once`);
    }
    const facts: Uint8Array[] = [];
    for (const hash of hashes) {
      if (hash.length !== 32) throw new HoldfastError('bad-encoding', 'a fact hash has 32 bytes');
      const fact = await this.#options.facts.get(hash);
      if (fact !== undefined) facts.push(fact);
    }
    return { facts };
  }
}

function mayAsk(caller: Caller, kind: ExchangeKind): boolean {
  switch (caller.access) {
    case 'member':
      return true;
    case 'invite':
    case 'recovery':
      return allowed[caller.access].has(kind);
    default:
      return assertNever(caller.access);
  }
}
