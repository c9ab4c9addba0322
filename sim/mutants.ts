import { Semaphore } from '../src/base/concurrency.ts';
import type { ErrorCode } from '../src/core/errors.ts';
import { receiptStream } from '../src/core/format/statement.ts';
import { idOf } from '../src/core/ids.ts';
import { reopenStatement } from '../src/core/protocol/opened-statement.ts';
import type { FactStore, LogHead, StatementLog, StreamName } from '../src/ports/statement-log.ts';
import type { Ledger } from '../src/services/ledger.ts';
import type { Mutant } from './agent.ts';
import { cluster } from './cast.ts';
import type { NewEntry } from './log.ts';
import type { World } from './world.ts';

// Deliberate bugs. A checker that finds none of them would check nothing.

/** Statements that are refused for this reason go into the log all the same, if they fit its sequence. */
function acceptsDespite(code: ErrorCode, about: Pick<Mutant, 'name' | 'finding'>): Mutant {
  return {
    ...about,
    needs: 'liar',
    change: ({ ledger, log }) => {
      const judge = ledger.ingest.bind(ledger);
      const turn = new Semaphore(1);
      ledger.ingest = async (envelope) => {
        using _ = await turnOf(turn);
        const result = await judge(envelope);
        if (result.outcome !== 'refused' || result.code !== code) return result;
        const opened = reopenStatement(envelope, cluster);
        const { writer, stream, sequence } = opened.statement;
        if (sequence !== (log.head({ writer, stream })?.sequence ?? 0) + 1) return result;
        await log.append({ writer, stream }, { sequence, hash: opened.hash, envelope });
        return { outcome: 'accepted', hash: idOf(opened.hash) };
      };
    },
  };
}

async function turnOf(turn: Semaphore): Promise<Disposable> {
  const release = await turn.acquire();
  return { [Symbol.dispose]: release };
}

/** Says that an append is durable before it is. */
class HastyLog implements StatementLog {
  readonly #log: StatementLog;
  readonly #world: World;
  readonly #ahead = new Map<string, { name: StreamName; entries: NewEntry[] }>();

  constructor(log: StatementLog, world: World) {
    this.#log = log;
    this.#world = world;
  }

  putAside(): Promise<readonly string[]> {
    return this.#log.putAside();
  }

  heads(): readonly LogHead[] {
    const durable = this.#log.heads().filter((head) => !this.#ahead.has(keyOf(head)));
    const ahead = [...this.#ahead.values()].map(({ name }) => this.head(name) as LogHead);
    return [...durable, ...ahead];
  }

  head(name: StreamName): LogHead | undefined {
    const newest = this.#ahead.get(keyOf(name))?.entries.at(-1);
    return newest === undefined ? this.#log.head(name) : { ...name, ...newest };
  }

  async append({ writer, stream }: StreamName, entry: NewEntry): Promise<void> {
    const name = { writer, stream };
    const ahead = this.#ahead.get(keyOf(name)) ?? { name, entries: [] };
    this.#ahead.set(keyOf(name), ahead);
    ahead.entries.push(entry);
    if (ahead.entries.length === 1)
      this.#world.after(2000, () => void this.#flush(name).catch(() => {}));
  }

  async #flush(name: StreamName): Promise<void> {
    const entries = this.#ahead.get(keyOf(name))?.entries ?? [];
    while (entries[0] !== undefined) {
      await this.#log.append(name, entries[0]);
      entries.shift();
    }
    this.#ahead.delete(keyOf(name));
  }

  async read(name: StreamName, from: number, count: number): Promise<Uint8Array[]> {
    const durable = await this.#log.read(name, from, count);
    const ahead = this.#ahead.get(keyOf(name))?.entries ?? [];
    const rest = ahead.filter(
      ({ sequence }) => sequence >= from + durable.length && sequence < from + count,
    );
    return [...durable, ...rest.map(({ envelope }) => envelope)];
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function keyOf({ writer, stream }: StreamName): string {
  return `${writer}/${stream}`;
}

/** Believes that it has every fact. */
function credulous(facts: FactStore): FactStore {
  return {
    get: (hash) => facts.get(hash),
    has: async () => true,
    put: (hash, fact) => facts.put(hash, fact),
  };
}

function hiding(ledger: Ledger, isHidden: (head: LogHead) => boolean): void {
  const all = ledger.heads.bind(ledger);
  ledger.heads = () => all().filter((head) => !isHidden(head));
}

export const mutants: readonly Mutant[] = [
  acceptsDespite('bad-signature', {
    name: 'accepts statements with a wrong signature',
    finding: /which is no statement/,
  }),
  acceptsDespite('unknown-writer', {
    name: 'accepts statements of strangers',
    finding: /to which its writer is not entitled/,
  }),
  acceptsDespite('not-permitted', {
    name: 'accepts what its writer may not say',
    finding: /to which its writer is not entitled/,
  }),
  acceptsDespite('equivocation', {
    name: 'goes on with a frozen sequence, whatever its chain',
    finding: /does not follow the entry before|an invention of the liar/,
  }),
  {
    name: 'says that an append is durable before it is',
    finding: /which it was told is durable|who is honest, has forked|no agreement/,
    log: (log, world) => new HastyLog(log, world),
  },
  {
    name: 'never looks for missing facts',
    finding: /no agreement.*lacks the fact/,
    facts: credulous,
  },
  {
    name: 'never tells anybody of receipts',
    finding: /no agreement.*receipts/,
    change: ({ ledger }) => hiding(ledger, ({ stream }) => stream === receiptStream),
  },
  {
    name: 'signs before it knows its own newest statements',
    finding: /who is honest, has forked|another statement of this honest writer/,
    needs: 'roll-back',
    change: ({ ledger }) => ledger.beforeFirstAppend(async () => {}),
  },
  {
    name: 'overlooks a second history',
    finding: /has not frozen the forked/,
    needs: 'liar',
    change: ({ ledger }) => {
      const judge = ledger.ingest.bind(ledger);
      ledger.ingest = async (envelope) => {
        const { writer, stream, sequence } = reopenStatement(envelope, cluster).statement;
        const newest = ledger.head(writer, stream);
        const isSecond = newest !== undefined && newest.sequence >= sequence;
        return isSecond ? { outcome: 'known', hash: idOf(newest.hash) } : judge(envelope);
      };
    },
  },
];
