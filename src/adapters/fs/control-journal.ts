import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Semaphore } from '../../base/concurrency.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { encodeEntries } from '../../core/format/journal-body.ts';
import { JournalState } from '../../core/format/journal-state.ts';
import type { RaftStored, RaftWrite } from '../../core/protocol/raft/types.ts';
import type { ControlJournal } from '../../ports/control-journal.ts';
import { makeDirectory, syncDirectory } from './atomic-write.ts';
import {
  firstSequenceOf,
  journalLost,
  keepEvidence,
  listJournal,
  removeFiles,
  writeMarker,
} from './control-journal-files.ts';
import { type JournalScan, scanSegment } from './control-journal-scan.ts';
import { JournalSegment } from './control-journal-segment.ts';
import { readFully, writeFully } from './file-access.ts';
import { systemError } from './system-error.ts';

// One segment counts at any time: a snapshot and the entries after it, then one record a write, each with the
// hard state and linked to the one before by its hash. The hard state is part of the records and not in slots
// of its own, so that a write that changes it together with entries is one append and one sync, and a crash
// leaves all of it or nothing. A new snapshot begins a new segment; a rename makes it the one that counts.

type Found = Exclude<JournalScan, { kind: 'lost' }>;

/**
 * Creates a journal in `directory`, whose parent exists; it is durable when resolved, and then it can be opened.
 * @throws HoldfastError state-exists when there was one, even if nothing is left of it | disk-full | io-error
 */
export async function createControlJournal(path: string, initial: RaftStored): Promise<void> {
  const directory = resolve(path);
  try {
    const files = await listJournal(directory);
    if (files.wasCreated) {
      throw new HoldfastError('state-exists', `${directory} has or had a control journal`, {
        next: 'start the agent with the journal that is there',
        details: { path: directory },
      });
    }
    await makeDirectory(directory);
    await removeFiles(directory, files.temporaries);
    const salt = new Uint8Array(randomBytes(32));
    const state = new JournalState(initial);
    const segment = await JournalSegment.begin(directory, { salt, state, after: undefined });
    await segment.close();
    // Last: a crash before it leaves a whole journal or none, and opening makes up for it.
    await writeMarker(directory);
  } catch (error) {
    throw systemError(error, `create the control journal in ${directory}`);
  }
}

/**
 * Opens the journal in `directory`. Removes a record that a crash cut short. Where durable records are damaged,
 * keeps the segment aside and goes on with what is before them, see ControlJournal.damage.
 * @throws HoldfastError not-found (it was never created) | corrupt (it was, and what no other agent can give
 * back is gone) | disk-full | io-error
 */
export async function openControlJournal(path: string): Promise<ControlJournal> {
  const directory = resolve(path);
  try {
    const files = await listJournal(directory);
    const name = files.segments.at(-1);
    if (name === undefined) {
      if (files.wasCreated) throw journalLost(directory, 'its segment is not there');
      throw new HoldfastError('not-found', `there is no control journal in ${directory}`);
    }
    // The process that renamed the segment may have ended before its sync.
    await syncDirectory(directory);
    const { segment, found } = await openSegment(directory, name, files.evidenceCount);
    const obsolete = [...files.segments, ...files.temporaries].filter(
      (one) => one !== segment.name,
    );
    await removeFiles(directory, obsolete);
    await writeMarker(directory);
    return new FileControlJournal(directory, segment, found);
  } catch (error) {
    if (codeOf(error) === 'bad-encoding') {
      throw journalLost(directory, 'another version of Holdfast wrote it', error);
    }
    throw systemError(error, `open the control journal in ${directory}`);
  }
}

async function openSegment(
  directory: string,
  name: string,
  evidenceCount: number,
): Promise<{ segment: JournalSegment; found: Found }> {
  const file = await open(join(directory, name), 'r+');
  try {
    const found = await scanSegment(file, firstSequenceOf(name));
    if (found.kind === 'lost') throw journalLost(directory, found.reason);
    if (found.kind !== 'damaged') {
      return { segment: await goOn(file, { directory, name, found }), found };
    }
    const { newest, salt, state } = found;
    state.lose(newest.summary);
    await keepEvidence(directory, name, evidenceCount);
    const segment = await JournalSegment.begin(directory, { salt, state, after: newest });
    await file.close();
    return { segment, found };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Makes sure that the disk has what was read. */
async function goOn(
  file: FileHandle,
  { directory, name, found }: { directory: string; name: string; found: Found },
): Promise<JournalSegment> {
  const { salt, last, end, lastStart } = found;
  if (found.kind === 'torn') await file.truncate(end);
  if (found.kind !== 'damaged' && !found.isLastMarked) {
    // Its sync may have failed, after which the kernel holds it in memory as clean: only a new write
    // brings it to the disk (Rebello et al., ATC 2020).
    await writeFully(file, lastStart, await readFully(file, lastStart, end - lastStart));
  }
  const segment = new JournalSegment(file, { directory, name, salt, last, end });
  await segment.confirm();
  return segment;
}

class FileControlJournal implements ControlJournal {
  readonly stored: RaftStored;
  readonly damage: ControlJournal['damage'];
  readonly #directory: string;
  /** As the disk has it once the writes under way are done. */
  readonly #state: JournalState;
  readonly #turn = new Semaphore(1);
  #segment: JournalSegment;
  #failure: unknown;
  #isOpen = true;

  constructor(directory: string, segment: JournalSegment, found: Found) {
    const { state } = found;
    this.stored = state.stored();
    const reason =
      found.kind === 'damaged'
        ? found.reason
        : 'what was damaged before has not been fetched again';
    const { lostUpTo, lostTerm } = state;
    this.damage = lostUpTo === undefined ? undefined : { lostUpTo, lostTerm, reason };
    this.#directory = directory;
    this.#state = state;
    this.#segment = segment;
  }

  async write(write: RaftWrite): Promise<void> {
    const release = await this.#turn.acquire();
    try {
      if (this.#failure !== undefined) throw this.#refusal();
      if (!this.#isOpen) throw new HoldfastError('io-error', 'the control journal is closed');
      this.#state.apply(write);
      await this.#persist(write);
    } finally {
      release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const release = await this.#turn.acquire();
    try {
      if (this.#isOpen) await this.#segment.close();
    } finally {
      this.#isOpen = false;
      release();
    }
  }

  async #persist(write: RaftWrite): Promise<void> {
    try {
      if (write.snapshot !== undefined) await this.#beginSegment();
      else {
        const { truncateFrom, append = [] } = write;
        const summary = this.#state.summary(this.#segment.nextSequence);
        await this.#segment.append(summary, encodeEntries({ truncateFrom, append }));
      }
    } catch (error) {
      this.#failure = systemError(error, `write to the control journal in ${this.#directory}`);
      throw this.#failure;
    }
  }

  async #beginSegment(): Promise<void> {
    const old = this.#segment;
    const { salt, last } = old;
    this.#segment = await JournalSegment.begin(this.#directory, {
      salt,
      state: this.#state,
      after: last,
    });
    await old.close();
    await removeFiles(this.#directory, [old.name]);
  }

  /** What is on the disk is not known after a failure; only an opening finds it out. */
  #refusal(): HoldfastError {
    const cause = this.#failure;
    const code = codeOf(cause) ?? 'io-error';
    const because = cause instanceof Error ? cause.message : String(cause);
    const message = `the control journal takes no more writes since one failed: ${because}`;
    return new HoldfastError(code, message, {
      next: 'start the agent again',
      details: { path: this.#directory, fatal: true },
      cause,
    });
  }
}
