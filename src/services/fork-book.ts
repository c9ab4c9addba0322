import type { AgentKey, ClusterId } from '../core/ids.ts';
import { networkMessages } from '../core/log-messages/network.ts';
import type { OpenedStatement } from '../core/protocol/opened-statement.ts';
import { reopenStatement } from '../core/protocol/opened-statement.ts';
import type { Log } from '../ports/runtime.ts';
import type { LogHead, StatementLog } from '../ports/statement-log.ts';

/** Proof that a writer has signed two histories: neither envelope can stand beside the other. */
export type Fork = {
  readonly writer: AgentKey;
  readonly stream: string;
  /** Of the other envelope. */
  readonly sequence: number;
  readonly held: Uint8Array;
  readonly other: Uint8Array;
};

const prefix = 'forks/';

/** The stream whose second history such a stream proves; undefined for any other stream. */
export function forkedStream(stream: string): string | undefined {
  return stream.startsWith(prefix) ? stream.slice(prefix.length) : undefined;
}

/**
 * Writers that have signed two histories. The second envelope is kept in the log, in a stream that no
 * statement can name, and handed on from there like any other: who holds the first can judge it.
 */
export class ForkBook {
  readonly #log: StatementLog;
  readonly #cluster: ClusterId;
  readonly #logger: Log | undefined;
  readonly #forks = new Map<string, Fork>();

  constructor(log: StatementLog, cluster: ClusterId, logger: Log | undefined) {
    this.#log = log;
    this.#cluster = cluster;
    this.#logger = logger;
  }

  all(): readonly Fork[] {
    return [...this.#forks.values()];
  }

  has(writer: string, stream: string): boolean {
    return this.#forks.has(`${writer}/${stream}`);
  }

  /** Reads the evidence in the log again. */
  async load(heads: readonly LogHead[]): Promise<void> {
    for (const head of heads) {
      if (forkedStream(head.stream) === undefined) continue;
      const [other] = await this.#log.read(head, head.sequence, 1);
      if (other !== undefined) await this.#keep(reopenStatement(other, this.#cluster));
    }
  }

  /** Keeps an envelope that cannot stand beside what is held; the stream is frozen from then on. */
  async add(opened: OpenedStatement): Promise<void> {
    const { writer, stream, sequence } = opened.statement;
    if (this.has(writer, stream)) return;
    const name = { writer, stream: prefix + stream };
    const next = (this.#log.head(name)?.sequence ?? 0) + 1;
    const { hash, envelope } = opened;
    await this.#log.append(name, { sequence: next, hash, envelope });
    await this.#keep(opened);
    const context = { writer, stream, sequence };
    this.#logger?.log('error', networkMessages.twoHistories, context);
  }

  /** After damage to the log, what it contradicted may be gone; then it proves nothing here. */
  async #keep({ statement, envelope }: OpenedStatement): Promise<void> {
    const { writer, stream, sequence } = statement;
    const newest = this.#log.head({ writer, stream })?.sequence ?? 0;
    const [held] = await this.#log.read({ writer, stream }, Math.min(sequence, newest), 1);
    if (newest === 0 || held === undefined) return;
    this.#forks.set(`${writer}/${stream}`, { writer, stream, sequence, held, other: envelope });
  }
}
