import { assert } from '../../src/base/assert.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import type { RaftEntry, RaftStored, RaftWrite } from '../../src/core/protocol/raft/types.ts';
import type { ControlJournal } from '../../src/ports/control-journal.ts';

/** What would lie on the disk. Never changed in place, so that a handle cannot reach into the next one. */
type Disk = RaftStored & { readonly lost: { index: number; term: number } | undefined };

/**
 * A control journal in memory. A write becomes durable some turns of the event loop after it began, and
 * resolves then; a crash before that loses it.
 */
export class MemoryControlJournal implements ControlJournal {
  readonly stored: RaftStored;
  readonly damage: ControlJournal['damage'];
  #disk: Disk;
  #state: 'open' | 'closed' | { error: HoldfastError } = 'open';
  #last: Promise<void> = Promise.resolve();
  #failure: HoldfastError | undefined;

  private constructor(disk: Disk) {
    const { lost, ...stored } = disk;
    this.#disk = disk;
    this.stored = stored;
    this.damage = lost && {
      lostUpTo: lost.index,
      lostTerm: lost.term,
      reason: 'damaged by a test',
    };
  }

  static create(initial: RaftStored): MemoryControlJournal {
    return new MemoryControlJournal({ ...initial, lost: undefined });
  }

  /** What an agent that opened the journal now would find. */
  get durable(): RaftStored {
    const { lost: _, ...stored } = this.#disk;
    return stored;
  }

  async write(write: RaftWrite): Promise<void> {
    const earlier = this.#last;
    const own = Promise.withResolvers<void>();
    this.#last = own.promise;
    try {
      await earlier;
      // Real writes take time: what overlaps them in an agent overlaps them here.
      await new Promise((resolve) => setImmediate(resolve));
      this.#take(write);
    } finally {
      own.resolve();
    }
  }

  /** The next write fails with this error, and with it all later ones. */
  failNext(code: 'io-error' | 'disk-full'): void {
    this.#failure = new HoldfastError(code, 'a failure that a test asked for');
  }

  /** The agent dies: writes that have not resolved are lost. @returns the journal as it is opened again */
  crash(): MemoryControlJournal {
    this.#state = 'closed';
    return new MemoryControlJournal(this.#disk);
  }

  /**
   * Damages the durable entry at an index behind everybody's back, and closes this handle: `crash` gives the
   * journal as it is opened again, without that entry and all later ones. (`damage` is what an opening found.)
   */
  damageEntry(index: number): void {
    const { entries, snapshot } = this.#disk;
    assert(index > snapshot.index && index <= lastOf(this.#disk), 'only what is held is damaged');
    const last = entries.at(-1) ?? snapshot;
    const before = this.#disk.lost ?? last;
    const lost = {
      index: Math.max(last.index, before.index),
      term: Math.max(last.term, before.term),
    };
    this.#disk = { ...this.#disk, entries: entries.filter((one) => one.index < index), lost };
    this.#state = 'closed';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    this.#state = 'closed';
  }

  #take(write: RaftWrite): void {
    if (typeof this.#state === 'object') {
      const { error } = this.#state;
      throw new HoldfastError(error.code, 'an earlier write failed', { cause: error });
    }
    if (this.#state === 'closed') throw new HoldfastError('io-error', 'the journal is closed');
    if (this.#failure !== undefined) {
      this.#state = { error: this.#failure };
      throw this.#failure;
    }
    this.#disk = after(this.#disk, write);
  }
}

/** Written apart from the journal on disk: the contract compares the two. */
function after(disk: Disk, write: RaftWrite): Disk {
  const hard = write.hard ?? disk.hard;
  let { snapshot, entries } = disk;
  if (write.snapshot !== undefined && hard.generation > disk.hard.generation) {
    // Another log, of which nothing was promised before.
    const { hard: _, ...rest } = write;
    const begun = { hard, snapshot: write.snapshot, entries: [], lost: undefined };
    return after(begun, rest);
  }
  if (write.snapshot !== undefined) {
    const { index, term } = write.snapshot;
    assert(index >= snapshot.index, 'a snapshot is not taken back');
    const at = [snapshot, ...entries].find((position) => position.index === index);
    entries = at?.term === term ? entries.filter((entry) => entry.index > index) : [];
    snapshot = write.snapshot;
  }
  if (write.truncateFrom !== undefined) {
    const from = write.truncateFrom;
    assert(from > snapshot.index, 'a snapshot is not taken back');
    entries = entries.filter((entry) => entry.index < from);
  }
  const all: RaftEntry[] = [...entries, ...(write.append ?? [])];
  all.forEach((entry, i) => {
    assert(entry.index === snapshot.index + 1 + i, 'the log has no gap');
  });
  const { lost } = disk;
  const last = all.at(-1) ?? snapshot;
  const isBack = lost !== undefined && (last.index >= lost.index || last.term > lost.term);
  return { hard, snapshot, entries: all, lost: isBack ? undefined : lost };
}

function lastOf(disk: RaftStored): number {
  return disk.snapshot.index + disk.entries.length;
}
