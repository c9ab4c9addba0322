import { assertNever } from '../../base/assert.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import type {
  RaftEffect,
  RaftEntry,
  RaftInput,
  RaftLike,
  RaftMessage,
  RaftOutcome,
  RaftSnapshot,
  RaftStatus,
  RaftWrite,
} from '../../core/protocol/raft/types.ts';
import type { ControlJournal } from '../../ports/control-journal.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';

/** One period of the control log's own time. */
export const tickMs = 100;

export type RaftDriverOptions = {
  readonly raft: RaftLike;
  readonly journal: ControlJournal;
  readonly clock: Clock;
  readonly log: Log;
  /** Not waited for: a message may be lost. */
  readonly send: (message: RaftMessage) => void;
  /** What is durable now. */
  readonly onWritten: (write: RaftWrite) => void;
  readonly apply: (entries: readonly RaftEntry[]) => void;
  readonly install: (snapshot: RaftSnapshot) => void;
  readonly onStatus: (status: RaftStatus) => void;
  readonly onFenced: (generation: number) => void;
  /** The journal can no longer be trusted to keep what is said: this agent must stop. */
  readonly onFatal: (error: unknown) => void;
};

type Read = PromiseWithResolvers<number>;

/**
 * Carries out what Raft says: one input at a time, the effects of each in their order, each finished before
 * the next. After a failed write nothing more is done, since what was promised may not be on the disk.
 */
export class RaftDriver {
  readonly #options: RaftDriverOptions;
  readonly #turn = new Semaphore(1);
  readonly #reads = new Map<number, Read>();
  #nextRead = 1;
  #failure: unknown;

  constructor(options: RaftDriverOptions) {
    this.#options = options;
  }

  /** Set once a decree has replaced this generation of the log. */
  fencedBy: number | undefined;

  status(): RaftStatus {
    return this.#options.raft.status();
  }

  /** It does nothing any more: its journal has failed, or another has taken its place. */
  get isOver(): boolean {
    return this.#failure !== undefined;
  }

  /** Nothing more is done once this has resolved: another takes over the journal. */
  async retire(): Promise<void> {
    const release = await this.#turn.acquire();
    this.#failure ??= notLeading();
    for (const read of this.#reads.values()) read.reject(notLeading());
    release();
  }

  /** @throws HoldfastError io-error | disk-full: now, or at an earlier input */
  async step(input: RaftInput): Promise<RaftOutcome> {
    const release = await this.#turn.acquire();
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const { outcome, effects } = this.#options.raft.step(input);
      for (const effect of effects) await this.#perform(effect);
      return outcome;
    } finally {
      release();
    }
  }

  /** Lets time pass until the signal. */
  async run({ signal }: Cancel): Promise<void> {
    const { clock } = this.#options;
    const isOver = (): boolean => signal?.aborted === true || this.isOver;
    while (!isOver()) {
      await clock.sleep(tickMs, signal === undefined ? {} : { signal }).catch(() => {});
      if (isOver()) break;
      await this.step({ kind: 'tick' }).catch((error: unknown) => {
        if (this.#failure === undefined) throw error;
      });
    }
  }

  /**
   * The index up to which everything was committed when this was asked; leadership has been confirmed since.
   * @throws HoldfastError no-quorum when this host does not lead, or no longer
   */
  async read(): Promise<number> {
    const id = this.#nextRead++;
    const read = Promise.withResolvers<number>();
    read.promise.catch(() => {});
    this.#reads.set(id, read);
    try {
      const outcome = await this.step({ kind: 'read', id });
      if (outcome.kind !== 'ok') throw notLeading();
      return await read.promise;
    } finally {
      this.#reads.delete(id);
    }
  }

  async #perform(effect: RaftEffect): Promise<void> {
    const { journal, send, apply, install, onStatus, onFenced, log } = this.#options;
    switch (effect.kind) {
      case 'persist':
        await journal.write(effect.write).catch((error: unknown) => this.#die(error));
        this.#options.onWritten(effect.write);
        return;
      case 'send':
        return send(effect.message);
      case 'apply':
        return apply(effect.entries);
      case 'install':
        return install(effect.snapshot);
      case 'readable':
        this.#reads.get(effect.id)?.resolve(effect.index);
        return;
      case 'unreadable':
        this.#reads.get(effect.id)?.reject(notLeading());
        return;
      case 'role':
        return onStatus(effect.status);
      case 'fenced':
        this.fencedBy = effect.generation;
        log.log('error', controlMessages.logReplacedByDecree, {
          generation: effect.generation,
        });
        onFenced(effect.generation);
        return;
      default:
        return assertNever(effect);
    }
  }

  #die(error: unknown): never {
    this.#failure = error;
    this.#options.log.log('error', controlMessages.journalFailed, { code: codeOf(error) });
    this.#options.onFatal(error);
    throw error;
  }
}

function notLeading(): HoldfastError {
  return new HoldfastError('no-quorum', 'this host does not lead the control log');
}
