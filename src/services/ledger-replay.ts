import { equal } from '../base/bytes.ts';
import { HoldfastError } from '../core/errors.ts';
import type { ClusterId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { judge } from '../core/protocol/chain.ts';
import {
  type OpenedStatement,
  openStatement,
  reopenStatement,
} from '../core/protocol/opened-statement.ts';
import type { LogHead, StatementLog } from '../ports/statement-log.ts';

/** Above this many statements, checking all signatures again would delay the start by many seconds. */
const verifiedAtOpenMax = 2000;

type Cursor = {
  readonly end: LogHead;
  at: { sequence: number; hash: Uint8Array } | undefined;
  batch: Uint8Array[];
  /** Read and opened, but not accepted yet. */
  pending: OpenedStatement | undefined;
};

/**
 * Hands every statement of this host's log to `accept`, which throws a HoldfastError while a statement lacks
 * something that another sequence holds: sequences advance in turns. The order in which they were accepted
 * once is not kept, and not needed (see Roster). After damage to the log, some may have to wait until peers
 * have brought back what they need.
 *
 * Encodings, chains and heads are always checked, signatures in logs of at most `verifiedAtOpenMax` statements:
 * who can write this host's disk owns this host's keys as well.
 */
export class LedgerReplay {
  readonly #log: StatementLog;
  readonly #open: (envelope: Uint8Array) => OpenedStatement;
  readonly #accept: (opened: OpenedStatement) => void;
  #cursors: Cursor[];

  constructor(
    log: StatementLog,
    heads: readonly LogHead[],
    cluster: ClusterId,
    accept: (opened: OpenedStatement) => void,
  ) {
    const count = heads.reduce((sum, { sequence }) => sum + sequence, 0);
    const open = count <= verifiedAtOpenMax ? openStatement : reopenStatement;
    this.#log = log;
    this.#open = (envelope) => open(envelope, cluster);
    this.#accept = accept;
    this.#cursors = heads.map((end) => ({ end, at: undefined, batch: [], pending: undefined }));
  }

  /** Sequences of which some entries wait for what is not known here. */
  get waiting(): readonly LogHead[] {
    return this.#cursors.map(({ end }) => end);
  }

  /** Goes as far as possible. @throws HoldfastError corrupt */
  async advance(): Promise<void> {
    for (let hasMoved = true; hasMoved && this.#cursors.length > 0; ) {
      hasMoved = false;
      for (const cursor of this.#cursors) if (await this.#advance(cursor)) hasMoved = true;
      this.#cursors = this.#cursors.filter(({ at, end }) => at?.sequence !== end.sequence);
    }
  }

  /** @returns whether at least one statement was accepted. */
  async #advance(cursor: Cursor): Promise<boolean> {
    let hasMoved = false;
    while ((cursor.at?.sequence ?? 0) < cursor.end.sequence) {
      cursor.pending ??= await this.#next(cursor);
      try {
        this.#accept(cursor.pending);
      } catch (error) {
        if (error instanceof HoldfastError) return hasMoved;
        throw error;
      }
      const { statement, hash } = cursor.pending;
      cursor.at = { sequence: statement.sequence, hash };
      cursor.pending = undefined;
      hasMoved = true;
    }
    if (cursor.at !== undefined && !equal(cursor.at.hash, cursor.end.hash)) {
      throw corruptAt(cursor, 'its newest entry is not the one that its head names');
    }
    return hasMoved;
  }

  async #next(cursor: Cursor): Promise<OpenedStatement> {
    const { writer, stream } = cursor.end;
    const from = (cursor.at?.sequence ?? 0) + 1;
    if (cursor.batch.length === 0) {
      cursor.batch = await this.#log.read(cursor.end, from, limits.statementsPerResponse);
    }
    const envelope = cursor.batch.shift();
    if (envelope === undefined) throw corruptAt(cursor, 'an entry is missing');
    const opened = this.#openHeld(cursor, envelope);
    const { statement, hash } = opened;
    const isInPlace = statement.writer === writer && statement.stream === stream;
    if (!isInPlace || judge(cursor.at, statement, hash) !== 'next') {
      throw corruptAt(cursor, 'an entry does not follow the one before');
    }
    return opened;
  }

  #openHeld(cursor: Cursor, envelope: Uint8Array): OpenedStatement {
    try {
      return this.#open(envelope);
    } catch (cause) {
      throw corruptAt(cursor, 'an entry cannot be opened', cause);
    }
  }
}

function corruptAt(cursor: Cursor, why: string, cause?: unknown): HoldfastError {
  const { writer, stream } = cursor.end;
  const details = { writer, stream, sequence: (cursor.at?.sequence ?? 0) + 1 };
  return new HoldfastError('corrupt', `the statement log of this host is damaged: ${why}`, {
    next: 'look who has had this disk in hand; then move `statements` out of the state directory and start again: members have what was in it',
    cause,
    details,
  });
}
