import { equal, toHex } from '../../base/bytes.ts';
import { codeOf } from '../../core/errors.ts';
import { manifestStream } from '../../core/format/statement.ts';
import type { Manifest } from '../../core/format/records.ts';
import type { AgentKey, StatementHash } from '../../core/ids.ts';
import { idBytes, idOf, shortId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { Anchor } from '../../core/protocol/control/anchor-book.ts';
import { type OpenedStatement, openStatement } from '../../core/protocol/opened-statement.ts';
import type { StreamHead } from '../../core/protocol/stream-heads.ts';
import type { LogHead } from '../../ports/statement-log.ts';
import { forkedStream } from '../fork-book.ts';
import { headPages } from '../head-pages.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { ValidationProgress, ValidationScope } from './validation.ts';

export type ChainCheckOptions = {
  readonly ledger: Pick<
    Ledger,
    'cluster' | 'forks' | 'hashAt' | 'head' | 'heads' | 'read' | 'roster'
  >;
  /** Snapshots that the control log has fixed. */
  readonly anchors: readonly Anchor[];
  readonly peers: Pick<Peers, 'ask' | 'reachable'>;
};

export type ChainCheckResult = {
  readonly statements: number;
  /** Of peers: whose word on the same histories was compared. */
  readonly peersAsked: readonly string[];
  readonly peersSilent: readonly string[];
};

type Chain = { hash: Uint8Array; sequence: number; manifest: Manifest | undefined };

/**
 * Reads every sequence of signed statements again, from its first: each signature, each link to the one before, the
 * numbers of snapshots. Then holds them against what the control log has fixed and what other members hold. Trusts
 * nothing that this host has concluded before.
 */
export class ChainCheck {
  readonly #options: ChainCheckOptions;

  constructor(options: ChainCheckOptions) {
    this.#options = options;
  }

  async run(scope: ValidationScope, progress: ValidationProgress): Promise<ChainCheckResult> {
    const { ledger } = this.#options;
    let statements = 0;
    const isAsked = ({ stream }: { stream: string }): boolean =>
      scope.dataset === undefined ||
      !stream.startsWith('manifests/') ||
      stream === manifestStream(scope.dataset);
    for (const head of ledger.heads()) {
      if (forkedStream(head.stream) !== undefined || !isAsked(head)) continue;
      statements += await this.#sequence(head, statements, progress);
    }
    for (const { writer, stream, sequence } of ledger.forks().filter(isAsked)) {
      const detail = `two histories are signed from number ${sequence} on`;
      progress.onFinding({ check: 'continuity', subject: this.#name(writer, stream), detail });
    }
    await this.#againstLog(scope, progress);
    return { statements, ...(await this.#againstPeers(isAsked, progress)) };
  }

  /** @returns how many statements it has. */
  async #sequence(head: LogHead, before: number, progress: ValidationProgress): Promise<number> {
    const { ledger } = this.#options;
    const { writer, stream } = head;
    const subject = this.#name(writer, stream);
    let chain: Chain = { hash: new Uint8Array(32), sequence: 0, manifest: undefined };
    const broken = (detail: string): void =>
      progress.onFinding({ check: 'continuity', subject, detail });
    while (chain.sequence < head.sequence) {
      progress.signal.throwIfAborted();
      const from = chain.sequence + 1;
      const batch = await readable(() =>
        ledger.read(writer, stream, from, limits.statementsPerResponse),
      );
      if (typeof batch === 'string' || batch.length === 0) {
        broken(
          `number ${from} cannot be read: ${typeof batch === 'string' ? batch : 'it is gone'}`,
        );
        return chain.sequence;
      }
      for (const envelope of batch) {
        const opened = await readable(() => Promise.resolve(this.#open(envelope)));
        if (typeof opened === 'string') {
          const detail = `number ${chain.sequence + 1}: ${opened}`;
          progress.onFinding({ check: 'signatures', subject, detail });
          return chain.sequence;
        }
        const objection = linkObjection(chain, opened, head);
        if (objection !== undefined) broken(`number ${chain.sequence + 1}: ${objection}`);
        const { statement, hash } = opened;
        const manifest = statement.body.kind === 'manifest' ? statement.body : chain.manifest;
        chain = { hash, sequence: chain.sequence + 1, manifest };
      }
      progress.onStep({ current: subject, done: before + chain.sequence });
    }
    if (!equal(chain.hash, head.hash)) broken('its last entry is not the one that it ends with');
    return chain.sequence;
  }

  #open(envelope: Uint8Array): OpenedStatement {
    return openStatement(envelope, this.#options.ledger.cluster);
  }

  /** Nobody can take back what is anchored, or put another in its place. */
  async #againstLog(scope: ValidationScope, { onFinding }: ValidationProgress): Promise<void> {
    for (const { head } of this.#options.anchors) {
      const { writer, dataset, sequence, hash } = head;
      if (scope.dataset !== undefined && dataset !== scope.dataset) continue;
      const stream = manifestStream(dataset);
      const held = await readable(() => this.#options.ledger.hashAt(writer, stream, sequence));
      if (typeof held === 'object' && equal(held, idBytes(hash))) continue;
      const is = typeof held === 'object' ? 'is another here' : 'is not to be had';
      const detail = `number ${sequence}, which the control log has fixed, ${is}`;
      onFinding({ check: 'continuity', subject: this.#name(writer, stream), detail });
    }
  }

  async #againstPeers(
    isAsked: (head: StreamHead) => boolean,
    progress: ValidationProgress,
  ): Promise<Omit<ChainCheckResult, 'statements'>> {
    const [peersAsked, peersSilent]: [string[], string[]] = [[], []];
    for (const { name, peerKey } of this.#options.peers.reachable()) {
      progress.signal.throwIfAborted();
      const heads = await readable(async () => {
        const all: StreamHead[] = [];
        const pages = headPages(this.#options.peers, peerKey);
        for await (const page of pages) all.push(...page.filter(isAsked));
        return all;
      });
      if (typeof heads === 'string') {
        peersSilent.push(name);
        continue;
      }
      peersAsked.push(name);
      for (const head of heads) await this.#compare(name, head, progress);
    }
    return { peersAsked, peersSilent };
  }

  /** What a peer holds beyond what is here has not arrived yet: that is no other history. */
  async #compare(peer: string, head: StreamHead, { onFinding }: ValidationProgress): Promise<void> {
    const { writer, stream, sequence, hash } = head;
    if (forkedStream(stream) !== undefined) return;
    // What cannot be read here was found before.
    const held = await readable(() => this.#options.ledger.hashAt(writer, stream, sequence));
    if (typeof held !== 'object' || equal(held, hash)) return;
    const detail = `${peer} shows another number ${sequence}: ${toHex(hash).slice(0, 8)}`;
    onFinding({ check: 'continuity', subject: this.#name(writer, stream), detail });
  }

  #name(writer: AgentKey | string, stream: string): string {
    const { roster } = this.#options.ledger;
    const key = writer as AgentKey;
    const dataset = roster
      .datasets()
      .find((one) => one.writer === key && manifestStream(one.id) === stream);
    const what = dataset === undefined ? stream : `dataset ${dataset.name}`;
    return `${what} of ${roster.member(key)?.name ?? shortId(key)}`;
  }
}

/** Why a statement cannot stand after what came before it. */
function linkObjection(
  chain: Chain,
  { statement }: OpenedStatement,
  { writer, stream }: LogHead,
): string | undefined {
  if (statement.writer !== writer || statement.stream !== stream)
    return 'it is of another sequence';
  if (statement.sequence !== chain.sequence + 1) return `it is number ${statement.sequence}`;
  if (!equal(statement.previous, chain.hash)) return 'it does not follow the one before';
  if (statement.body.kind !== 'manifest') return undefined;
  return manifestObjection(chain, statement.body);
}

/** Snapshots of one writer follow each other; their numbers and epochs never go back. */
function manifestObjection(chain: Chain, manifest: Manifest): string | undefined {
  const { manifest: before, hash } = chain;
  if (before === undefined) {
    return manifest.previous === undefined ? undefined : 'it names a snapshot before the first';
  }
  if (manifest.sequence <= before.sequence) return `snapshot ${manifest.sequence} goes back`;
  if (manifest.writerEpoch < before.writerEpoch) return 'its writer epoch goes back';
  const isNext = manifest.sequence === before.sequence + 1;
  const isLinked = manifest.previous === idOf<StatementHash>(hash);
  return isNext && !isLinked ? 'it names another snapshot before it' : undefined;
}

/** What was asked for, or why it cannot be had. Bugs stay bugs. */
async function readable<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return (error as Error).message;
  }
}
