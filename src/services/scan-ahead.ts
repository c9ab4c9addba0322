import { concat } from '../base/bytes.ts';
import { HoldfastError } from '../core/errors.ts';
import type { CatalogRecord } from '../core/format/catalog-record.ts';
import { kindOf } from '../core/format/tree.ts';
import type { Clock } from '../ports/runtime.ts';
import type { FileFacts, SourceDirectory, SourceEntry } from '../ports/source.ts';
import type { DatasetIndex } from './dataset-index.ts';
import type { Selection } from './selection.ts';

/** An entered directory. Whoever walks it closes it. */
export type Place = {
  readonly path: Uint8Array;
  readonly directory: SourceDirectory;
  readonly facts: FileFacts;
  /** To stay on below it. */
  readonly device: bigint | undefined;
  /** Nothing in it is backed up. */
  readonly isSkipped: boolean;
};

export type Listing = {
  /** Nanoseconds: a ctime from then on may still hide a change. */
  readonly settledBefore: bigint;
  /** As the catalog remembers it. */
  readonly known: CatalogRecord | undefined;
  readonly entries: readonly SourceEntry[];
  /** The directories among them that are backed up. */
  readonly below: ReadonlyMap<SourceEntry, Below>;
  /** Why it could not be listed. */
  readonly problem?: HoldfastError;
};

/** A directory that the walk will come to. */
export class Below {
  readonly path: Uint8Array;
  readonly enter: () => Promise<Place>;
  readonly #above: Below | undefined;
  /** Set once it has begun, and until the walk has come: what lies behind it is let go. */
  ahead: { readonly place: Promise<Place>; readonly listing: Promise<Listing> } | undefined;
  isWalked = false;
  /** Monotonic, of the listing. */
  listedAtMs = 0;
  /** Counted as ahead of the walk. */
  entriesAhead = 0;
  #isDropped = false;

  constructor(path: Uint8Array, above: Below | undefined, enter: () => Promise<Place>) {
    this.path = path;
    this.#above = above;
    this.enter = enter;
  }

  /** The walk will not come: a directory above was listed again. */
  get isDropped(): boolean {
    return this.#isDropped || this.#above?.isDropped === true;
  }

  drop(): void {
    this.#isDropped = true;
  }
}

export type ScanAheadOptions = {
  readonly index: Pick<DatasetIndex, 'directory'>;
  readonly selection: Selection;
  readonly clock: Clock;
  /** The catalog is not asked. */
  readonly force: boolean;
};

/** ctime has the granularity of the kernel's tick: a later change within it would not show. */
const settleNs = 100_000_000n;
const slash = Uint8Array.of(0x2f);
/** Enough that the walk need not wait, and so few that they are still true when it comes. */
const entriesAheadMax = 16_384;
const directoriesAheadMax = 512;
/** More at once would be neighbours that the walk comes to long after what is below these. */
const listingsUnderWayMax = 48;
/** What is older when the walk comes is listed again. */
const ageMaxMs = 5000;

/** Enters and lists the selected directories before the walk comes to them, in about its order and within bounds. */
export class ScanAhead implements AsyncDisposable {
  readonly #options: ScanAheadOptions;
  /** Not begun; the last is the one that the walk comes to first. */
  readonly #next: Below[] = [];
  readonly #open = new Set<Place>();
  #entriesAhead = 0;
  #directoriesAhead = 0;
  #listingsUnderWay = 0;
  #isFilling = false;
  #isDisposed = false;

  constructor(options: ScanAheadOptions) {
    this.#options = options;
  }

  /** Where the walk begins, at the top of everything. */
  begin(directory: SourceDirectory): Below {
    const path = new Uint8Array(0);
    const facts = directory.ownFacts();
    const place = { path, directory, facts, device: undefined, isSkipped: false };
    return new Below(path, undefined, async () => place);
  }

  /** The directory, entered. @throws HoldfastError when it cannot be */
  place(below: Below): Promise<Place> {
    return this.#begun(below).place;
  }

  /** The walk has come to it: what is in it now, or was a moment ago. */
  async listing(below: Below): Promise<Listing> {
    const { place, listing } = this.#begun(below);
    const first = await listing;
    below.isWalked = true;
    below.ahead = undefined;
    this.#isAheadNoMore(below);
    const ageMs = this.#options.clock.monotonicMs() - below.listedAtMs;
    if (ageMs > ageMaxMs) this.#dropAll(first);
    const listed = ageMs > ageMaxMs ? await this.#list(below, await place) : first;
    this.#beginMore();
    return listed;
  }

  async close(place: Place): Promise<void> {
    this.#open.delete(place);
    await place.directory[Symbol.asyncDispose]();
  }

  /** Fills the room ahead of the walk whenever half of it is free: many at a time, which are listed together. */
  #beginMore(): void {
    if (this.#share() <= 0.5) this.#isFilling = true;
    while (this.#isFilling && !this.#isDisposed && this.#listingsUnderWay < listingsUnderWayMax) {
      const below = this.#next.pop();
      if (below === undefined) return;
      if (!below.isDropped && !below.isWalked) this.#begun(below);
      if (this.#share() >= 1) this.#isFilling = false;
    }
  }

  /** Of the room ahead of the walk that is taken. */
  #share(): number {
    const entries = this.#entriesAhead / entriesAheadMax;
    return Math.max(entries, this.#directoriesAhead / directoriesAheadMax);
  }

  #begun(below: Below): NonNullable<Below['ahead']> {
    if (below.ahead !== undefined) return below.ahead;
    this.#directoriesAhead++;
    this.#listingsUnderWay++;
    const place = this.#enter(below);
    const listing = place.then((entered) => this.#listAhead(below, entered));
    // The walk hears of it, if it comes.
    place.catch(() => {});
    listing.catch(() => {
      this.#listingsUnderWay--;
      this.#isAheadNoMore(below);
    });
    below.ahead = { place, listing };
    return below.ahead;
  }

  async #enter(below: Below): Promise<Place> {
    const place = await below.enter();
    this.#open.add(place);
    if (below.isDropped || this.#isDisposed) await this.close(place);
    return place;
  }

  async #listAhead(below: Below, place: Place): Promise<Listing> {
    const listing = await this.#list(below, place);
    this.#listingsUnderWay--;
    below.entriesAhead = listing.entries.length;
    this.#entriesAhead += below.entriesAhead;
    this.#beginMore();
    return listing;
  }

  async #list(below: Below, place: Place): Promise<Listing> {
    const { clock, index, force } = this.#options;
    const settledBefore = BigInt(clock.nowMs()) * 1_000_000n - settleNs;
    below.listedAtMs = clock.monotonicMs();
    const nothing = { settledBefore, known: undefined, entries: [], below: new Map() };
    if (place.isSkipped || below.isDropped || this.#isDisposed) return nothing;
    const listed = await place.directory.list().catch(asProblem);
    const known = force ? undefined : index.directory(place.path);
    if (listed instanceof HoldfastError) return { ...nothing, known, problem: listed };
    const found = this.#lookBelow(below, place, listed);
    return { settledBefore, known, entries: listed, below: found };
  }

  #lookBelow(of: Below, place: Place, entries: readonly SourceEntry[]): Map<SourceEntry, Below> {
    const { selection } = this.#options;
    const found = new Map<SourceEntry, Below>();
    for (const entry of entries) {
      if (kindOf(entry.facts.mode) !== 'directory') continue;
      const path = concat([place.path, slash, entry.name]);
      if (!selection.takes(path, entry)) continue;
      found.set(entry, new Below(path, of, () => this.#enterBelow(place, entry.name, path)));
    }
    this.#insert([...found.values()].reverse());
    return found;
  }

  /** Neighbours, the last first, among those not begun. What comes before them is little: it lies at the end. */
  #insert(neighbours: readonly Below[]): void {
    const [last] = neighbours;
    if (last === undefined) return;
    const before = this.#next.splice(this.#placeOf(last));
    for (const one of neighbours) this.#next.push(one);
    for (const one of before) this.#next.push(one);
  }

  /** Among those not begun: behind all that the walk comes to later. */
  #placeOf({ path }: Below): number {
    let [from, to] = [0, this.#next.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const isLater = compareInWalk((this.#next[middle] as Below).path, path) > 0;
      if (isLater) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  async #enterBelow(above: Place, name: Uint8Array, path: Uint8Array): Promise<Place> {
    const { selection } = this.#options;
    const directory = await above.directory.enter(name);
    const facts = directory.ownFacts();
    const device = selection.deviceBelow(above.device, facts, path);
    if (device === 'other') return { path, directory, facts, device: undefined, isSkipped: true };
    return { path, directory, facts, device, isSkipped: selection.isCache(directory, path) };
  }

  #isAheadNoMore(below: Below): void {
    this.#directoriesAhead--;
    this.#entriesAhead -= below.entriesAhead;
    below.entriesAhead = 0;
  }

  #dropAll({ below }: Listing): void {
    for (const one of below.values()) {
      one.drop();
      void this.#forget(one);
    }
  }

  /** Once what had begun has ended: a failure concerns nobody, and is counted where it happens. */
  async #forget(below: Below): Promise<void> {
    const [place, listing] = await Promise.allSettled([below.ahead?.place, below.ahead?.listing]);
    if (place.status === 'fulfilled' && place.value !== undefined) await this.close(place.value);
    if (listing.status !== 'fulfilled' || listing.value === undefined) return;
    this.#isAheadNoMore(below);
    this.#dropAll(listing.value);
  }

  /** Nobody walks any more: what is still open is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    for (const place of this.#open) await this.close(place);
  }
}

function asProblem(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  throw error;
}

/** Which of two paths a walk in name order comes to first: a directory's entries before its next neighbour. */
function compareInWalk(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a[i] === b[i]) i++;
  if (i === length) return a.length - b.length;
  return rank(a[i]) - rank(b[i]);
}

/** What ends a name comes before everything that may be in one. */
function rank(byte: number | undefined): number {
  return byte === undefined || byte === 0x2f ? 0 : byte;
}
