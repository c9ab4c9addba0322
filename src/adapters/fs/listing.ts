import { Turn } from '../../base/turn.ts';
import type { Xattr } from '../../core/format/tree.ts';
import type { SourceEntry } from '../../ports/source.ts';
import type { DirectoryHandle } from './directory-handle.ts';
import { type ListAnswer, type ListFailure, type ListJob, listAll } from './list-job.ts';
import { factsAt, factsSize } from './packed-facts.ts';
import { systemError } from './system-error.ts';
import { threadTime } from './thread-time.ts';

/** What is in an open directory, and what is said of the directory itself. */
export type Listing = {
  readonly entries: readonly SourceEntry[];
  readonly xattrs: readonly Xattr[];
};

/** Lists an open directory. @throws HoldfastError io-error | not-found */
export type Lister = (directory: DirectoryHandle) => Promise<Listing>;

type Waiting = {
  readonly prefix: Uint8Array;
  /** The directory stays open until then. */
  readonly release: () => void;
  readonly resolve: (listing: Listing) => void;
  readonly reject: (error: unknown) => void;
};

export type ListingQueueOptions = {
  /** Runs a job elsewhere; `onDone` when nothing uses its directories any more. */
  readonly run: (job: ListJob, options: { onDone: () => void }) => Promise<ListAnswer>;
  /** Jobs under way at once. */
  readonly lanes: number;
};

/** Many directories that are asked for at once go to a thread together: a message for each would cost what it saves. */
const directoriesPerJob = 16;
/** Shared by all: a tree of many small directories would hold everybody else up as a large one does. */
const turn = new Turn(threadTime);

/** Has directories listed by other threads, in the order in which they were asked for. */
export class ListingQueue {
  readonly #options: ListingQueueOptions;
  readonly #waiting: Waiting[] = [];
  #lanesBusy = 0;

  constructor(options: ListingQueueOptions) {
    this.#options = options;
  }

  readonly list: Lister = (directory) =>
    new Promise((resolve, reject) => {
      // Not a view of the Buffer pool, which would be cloned as a whole.
      const prefix = new Uint8Array(directory.prefix);
      this.#waiting.push({ prefix, release: directory.retain(), resolve, reject });
      if (this.#lanesBusy < this.#options.lanes) void this.#lane();
    });

  async #lane(): Promise<void> {
    this.#lanesBusy++;
    // Let the caller ask for all that it wants to ask for.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const together = this.#waiting.splice(0, directoriesPerJob);
      await this.#listTogether(together);
    }
    this.#lanesBusy--;
  }

  async #listTogether(together: readonly Waiting[]): Promise<void> {
    const prefixes = together.map(({ prefix }) => prefix);
    const onDone = (): void => {
      for (const { release } of together) release();
    };
    try {
      const listings = new Listings(await this.#options.run({ prefixes }, { onDone }));
      for (const { resolve, reject } of together) {
        await listings.next().then(resolve, reject);
      }
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
  }
}

/** In this thread, where few are listed. */
export const listHere: Lister = (directory) =>
  new Listings(listAll({ prefixes: [directory.prefix] })).next();

/** The listings of an answer, one after another. */
class Listings {
  readonly #answer: ListAnswer;
  #directory = 0;
  #entry = 0;
  #nameAt = 0;

  constructor(answer: ListAnswer) {
    this.#answer = answer;
  }

  async next(): Promise<Listing> {
    const { counts, xattrs, failures } = this.#answer;
    const place = this.#directory++;
    const failure = failures.get(place);
    if (failure !== undefined) throw systemError(errorOf(failure), 'list the directory');
    const entries: SourceEntry[] = [];
    for (let left = counts[place] as number; left > 0; left--) {
      if (turn.isOver) await turn.end();
      entries.push(this.#nextEntry());
    }
    return { entries, xattrs: xattrs.get(place) ?? [] };
  }

  #nextEntry(): SourceEntry {
    const { names, nameSizes, rows } = this.#answer;
    const at = this.#nameAt;
    this.#nameAt += nameSizes[this.#entry] as number;
    const facts = factsAt(rows, this.#entry++ * factsSize);
    return { name: names.subarray(at, this.#nameAt), facts };
  }
}

/** As the call threw it in the other thread. */
function errorOf({ errno, message }: ListFailure): Error {
  return Object.assign(new Error(message), { code: errno, syscall: 'scandir' });
}
