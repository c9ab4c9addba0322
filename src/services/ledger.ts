import { assert } from '../base/assert.ts';
import { equal } from '../base/bytes.ts';
import { Semaphore } from '../base/concurrency.ts';
import { type ErrorCode, HoldfastError } from '../core/errors.ts';
import { sealEnvelope } from '../core/format/envelope.ts';
import { clusterIdOf, decodeGenesis } from '../core/format/genesis.ts';
import type { FactRef } from '../core/format/records.ts';
import {
  encodeStatement,
  type Statement,
  type StatementBody,
  streamOf,
} from '../core/format/statement.ts';
import {
  type AgentKey,
  type ClusterId,
  type DatasetId,
  type FactHash,
  idOf,
  type StatementHash,
} from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { networkMessages } from '../core/log-messages/network.ts';
import { judge } from '../core/protocol/chain.ts';
import {
  generation,
  type OpenedStatement,
  openStatement,
  reopenStatement,
} from '../core/protocol/opened-statement.ts';
import { Roster } from '../core/protocol/roster.ts';
import type { Clock, Log } from '../ports/runtime.ts';
import type { LogHead, StatementLog } from '../ports/statement-log.ts';
import { type Fork, ForkBook, forkedStream } from './fork-book.ts';
import { LedgerReplay } from './ledger-replay.ts';
import {
  type DrillRecord,
  type ManifestRecord,
  type ReceiptRecord,
  StatementIndex,
  type StatementPlace,
} from './statement-index.ts';

export type { Fork } from './fork-book.ts';
export type { DrillRecord, ManifestRecord, ReceiptRecord } from './statement-index.ts';

export type LedgerOptions = {
  readonly genesisBytes: Uint8Array;
  readonly log: StatementLog;
  readonly clock: Clock;
  /** Who signs what `append` says; absent where statements are only read. */
  readonly self?: { readonly agentKey: AgentKey; readonly statementSecret: Uint8Array };
  readonly logger?: Log;
};

export type IngestResult =
  | { readonly outcome: 'accepted' | 'known'; readonly hash: StatementHash }
  /** Entries from `from` on are missing before it. */
  | { readonly outcome: 'gap'; readonly from: number }
  | { readonly outcome: 'refused'; readonly code: ErrorCode; readonly reason: string };

export type StatementEvent = {
  readonly statement: Statement;
  readonly hash: StatementHash;
  readonly envelope: Uint8Array;
};

/**
 * All statements that this host knows, what follows from them, and the one way to add to them.
 * One change at a time: checked, made durable, then visible. Several readers may look on meanwhile.
 */
export class Ledger {
  readonly genesisBytes: Uint8Array;
  readonly cluster: ClusterId;
  readonly roster: Roster;
  readonly #options: LedgerOptions;
  readonly #index = new StatementIndex();
  readonly #forks: ForkBook;
  readonly #replay: LedgerReplay;
  readonly #listeners = new Set<(event: StatementEvent) => void>();
  readonly #turn = new Semaphore(1);
  #beforeFirstAppend: (() => Promise<void>) | undefined;

  private constructor(options: LedgerOptions) {
    this.#options = options;
    this.genesisBytes = options.genesisBytes;
    this.cluster = clusterIdOf(options.genesisBytes);
    this.roster = new Roster(decodeGenesis(options.genesisBytes), this.cluster);
    this.#forks = new ForkBook(options.log, this.cluster, options.logger);
    const heads = options.log.heads().filter(({ stream }) => forkedStream(stream) === undefined);
    this.#replay = new LedgerReplay(options.log, heads, this.cluster, (opened) =>
      this.#accept(opened),
    );
  }

  /** @throws HoldfastError corrupt (the log), bad-encoding (the genesis) */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options);
    await ledger.#replay.advance();
    await ledger.#forks.load(options.log.heads());
    for (const { writer, stream } of ledger.#replay.waiting) {
      const context = { writer, stream };
      options.logger?.log('error', networkMessages.statementsWaitForLost, context);
    }
    return ledger;
  }

  /** The key of this host's own statements, if it has one. */
  get self(): AgentKey | undefined {
    return this.#options.self?.agentKey;
  }

  /**
   * Signs and keeps an own statement. `extraSecrets`: of others who sign it too.
   * @throws HoldfastError not-permitted | equivocation (this stream of ours is frozen) | limit-exceeded | ...
   */
  async append(
    stream: string,
    body: StatementBody,
    extraSecrets: readonly Uint8Array[] = [],
  ): Promise<StatementEvent> {
    const { self, log, clock } = this.#options;
    assert(self !== undefined, 'only a ledger with a key of its own can append');
    assert(stream === streamOf(body), 'a statement stands in the stream of its kind');
    await this.ready();
    return this.#inTurn(async () => {
      const head = log.head({ writer: self.agentKey, stream });
      const payload = encodeStatement({
        writer: self.agentKey,
        stream,
        sequence: (head?.sequence ?? 0) + 1,
        previous: head?.hash ?? new Uint8Array(32),
        timeMs: clock.nowMs(),
        body,
      });
      const secrets = [self.statementSecret, ...extraSecrets];
      const sealed = { type: 'statement', cluster: this.cluster, generation, payload } as const;
      const { bytes } = sealEnvelope({ ...sealed, secrets });
      return this.#add(openStatement(bytes, this.cluster), { isNew: true });
    });
  }

  /**
   * Keeps a statement that somebody else has just signed (an operator at a terminal).
   * @throws HoldfastError sequence-gap (signed on top of another head than ours: sign again) | not-permitted | ...
   */
  async appendSigned(envelope: Uint8Array): Promise<StatementEvent> {
    await this.ready();
    return this.#inTurn(async () => {
      const opened = openStatement(envelope, this.cluster);
      const { statement, hash } = opened;
      const head = this.#options.log.head(statement);
      const verdict = judge(head, statement, hash);
      if (verdict === 'next') return this.#add(opened, { isNew: true });
      if (verdict === 'known' && statement.sequence === head?.sequence) return eventOf(opened);
      // Not a fork yet: nobody but us has seen it, and we forget it.
      throw new HoldfastError('sequence-gap', 'the statement does not follow the newest one here', {
        details: { sequence: statement.sequence, newest: head?.sequence ?? 0 },
      });
    });
  }

  /**
   * Takes a statement from a peer. Never throws for what the peer sent.
   * @throws HoldfastError disk-full | io-error
   */
  async ingest(envelope: Uint8Array): Promise<IngestResult> {
    return this.#inTurn(async () => {
      try {
        return await this.#judgeAndAdd(openStatement(envelope, this.cluster));
      } catch (error) {
        if (!(error instanceof HoldfastError) || isOwnTrouble(error)) throw error;
        return { outcome: 'refused', code: error.code, reason: error.message };
      }
    });
  }

  async #judgeAndAdd(opened: OpenedStatement): Promise<IngestResult> {
    const { statement, hash } = opened;
    const head = this.#options.log.head(statement);
    const verdict = judge(head, statement, hash);
    if (verdict === 'gap') return { outcome: 'gap', from: (head?.sequence ?? 0) + 1 };
    const isSame = verdict === 'known' && equal(await this.#heldHash(statement), hash);
    if (isSame) return { outcome: 'known', hash: idOf(hash) };
    if (verdict !== 'next') await this.#forks.add(opened);
    await this.#add(opened, { isNew: false });
    return { outcome: 'accepted', hash: idOf(hash) };
  }

  /** Makes a checked successor durable, then visible. @throws HoldfastError when it has no authority */
  async #add(opened: OpenedStatement, options: { isNew: boolean }): Promise<StatementEvent> {
    const { statement, hash, envelope } = opened;
    this.#refuseFrozen(statement);
    this.#refuseWaiting(statement);
    const commit = this.roster.prepare(statement, opened.signers, hash);
    const objection = options.isNew ? this.roster.objection(statement.body) : undefined;
    if (objection !== undefined) throw objection;
    const { writer, stream, sequence } = statement;
    await this.#options.log.append({ writer, stream }, { sequence, hash, envelope });
    commit();
    const event = eventOf(opened);
    this.#index.add(statement, event.hash);
    this.#tell(event);
    await this.#replay.advance();
    return event;
  }

  /** The same for an entry that is durable already. */
  #accept(opened: OpenedStatement): void {
    this.roster.apply(opened.statement, opened.signers, opened.hash);
    const event = eventOf(opened);
    this.#index.add(event.statement, event.hash);
    this.#tell(event);
  }

  #tell(event: StatementEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #refuseFrozen({ writer, stream }: { writer: string; stream: string }): void {
    if (!this.isFrozen(writer, stream)) return;
    throw new HoldfastError('equivocation', `${writer.slice(0, 8)} has signed two histories`, {
      next: 'holdfast doctor',
      details: { writer, stream },
    });
  }

  #refuseWaiting({ writer, stream }: { writer: string; stream: string }): void {
    const { waiting } = this.#replay;
    if (!waiting.some((end) => end.writer === writer && end.stream === stream)) return;
    throw new HoldfastError('sequence-gap', 'earlier statements of this sequence still wait');
  }

  isFrozen(writer: string, stream: string): boolean {
    return this.#forks.has(writer, stream);
  }

  forks(): readonly Fork[] {
    return this.#forks.all();
  }

  /** Every sequence, and the evidence of forks as sequences of their own. */
  heads(): readonly LogHead[] {
    return this.#options.log.heads();
  }

  head(writer: string, stream: string): LogHead | undefined {
    return this.#options.log.head({ writer, stream });
  }

  /** Encoded envelopes from `from` on, at most limits.statementsPerResponse. */
  read(writer: string, stream: string, from: number, count: number): Promise<Uint8Array[]> {
    const most = Math.min(count, limits.statementsPerResponse);
    return this.#options.log.read({ writer, stream }, from, most);
  }

  /** Files of its log that were damaged and put aside; peers have given what was in them again. @throws HoldfastError io-error */
  putAside(): Promise<readonly string[]> {
    return this.#options.log.putAside();
  }

  /** The hash held at a place of a sequence, 32 bytes; undefined when the place is empty. */
  async hashAt(writer: string, stream: string, sequence: number): Promise<Uint8Array | undefined> {
    const head = this.head(writer, stream);
    if (head === undefined || sequence > head.sequence) return undefined;
    if (sequence === head.sequence) return head.hash;
    const [envelope] = await this.read(writer, stream, sequence, 1);
    return envelope === undefined ? undefined : reopenStatement(envelope, this.cluster).hash;
  }

  async #heldHash({ writer, stream, sequence }: Statement): Promise<Uint8Array> {
    const held = await this.hashAt(writer, stream, sequence);
    assert(held !== undefined, 'every place up to the head is taken');
    return held;
  }

  /** Of one dataset, or all; newest last. */
  manifests(dataset?: DatasetId): ManifestRecord[] {
    const all = this.#index.manifests(dataset);
    const datasets = dataset === undefined ? this.#index.datasets() : [dataset];
    // Looking into each of thousands, many times in each backup, would cost more than all else.
    if (![...datasets].some((one) => this.#hasCut(one))) return [...all];
    const { log } = this.roster;
    return all.filter(({ statement, manifest }) =>
      log.isCounted(statement.writer, manifest.dataset, manifest.sequence),
    );
  }

  #hasCut(dataset: DatasetId): boolean {
    const writers = [...this.#index.writers(dataset)];
    return writers.some((writer) => this.roster.log.cut(writer, dataset) !== undefined);
  }

  /** Who has written snapshots of a dataset that count. */
  writers(dataset: DatasetId): AgentKey[] {
    const writers = [...this.#index.writers(dataset)];
    return writers.filter((writer) => this.roster.log.cut(writer, dataset) !== 0);
  }

  manifest(hash: StatementHash): ManifestRecord | undefined {
    return this.#index.manifest(hash);
  }

  /** How many there are, counted or not. */
  get manifestCount(): number {
    return this.#index.manifestCount;
  }

  /** The lists of packs that a snapshot needs. @throws HoldfastError corrupt | io-error */
  async packSegments(record: ManifestRecord): Promise<readonly FactRef[]> {
    if (record.shortList !== undefined) return record.shortList;
    const body = await this.#bodyAt(record.statement);
    return body.kind === 'manifest' ? body.packSegments : [];
  }

  /** What an agent has signed that it holds: one fact for each list of packs. @throws as `packSegments` */
  async holdings(record: ReceiptRecord): Promise<readonly FactHash[]> {
    if (record.shortList !== undefined) return record.shortList;
    const body = await this.#bodyAt(record.statement);
    return body.kind === 'receipt' ? body.holdings : [];
  }

  async #bodyAt({ writer, stream, sequence }: StatementPlace): Promise<StatementBody> {
    const [envelope] = await this.read(writer, stream, sequence, 1);
    assert(envelope !== undefined, 'what was accepted can be read again');
    return reopenStatement(envelope, this.cluster).statement.body;
  }

  /** Of all agents, by their clocks; newest last. */
  drills(): DrillRecord[] {
    return this.#index.drills();
  }

  /** The newest of each agent. */
  receipts(manifest: StatementHash): ReceiptRecord[] {
    return this.#index.receipts(manifest);
  }

  /** When each agent first signed that it holds the manifest, by its own clock. */
  witnessed(manifest: StatementHash): ReadonlyMap<AgentKey, number> {
    return this.#index.witnessed(manifest);
  }

  /** The newest of each agent, for every manifest. */
  allReceipts(): ReceiptRecord[] {
    return this.#index.allReceipts();
  }

  /** Called after each statement that was added, own or not. Returns a function that stops it. */
  onStatement(listener: (event: StatementEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * `confirm` runs before the first append: a host whose disk went back in time must learn its own newest
   * statements from its peers, or it would sign a second history and be frozen.
   */
  beforeFirstAppend(confirm: () => Promise<void>): void {
    this.#beforeFirstAppend = confirm;
  }

  /**
   * Resolves when this host's own newest statements are known, which may take a period of synchronisation
   * after a start. Whoever says something that depends on what it has said before waits for it first.
   */
  async ready(): Promise<void> {
    const confirm = this.#beforeFirstAppend;
    await confirm?.();
    if (this.#beforeFirstAppend === confirm) this.#beforeFirstAppend = undefined;
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const release = await this.#turn.acquire();
    try {
      return await work();
    } finally {
      release();
    }
  }
}

function eventOf({ statement, hash, envelope }: OpenedStatement): StatementEvent {
  return { statement, hash: idOf(hash), envelope };
}

/** Failures of this host, which are not the sender's. */
function isOwnTrouble(error: HoldfastError): boolean {
  return error.code === 'disk-full' || error.code === 'io-error';
}
