import { compare, concat, equal, latin1 } from '../base/bytes.ts';
import type { CatalogEntry, CatalogRecord } from '../core/format/catalog-record.ts';
import { earlierEntry } from '../core/format/catalog-record.ts';
import type { TreeEntry } from '../core/format/tree.ts';
import { kindOf } from '../core/format/tree.ts';
import { isSuspectName } from '../core/policy/suspect-names.ts';
import type { SourceEntry } from '../ports/source.ts';
import { nameIn } from './catalog-cursor.ts';
import type { DatasetIndex } from './dataset-index.ts';

export type ScanChangesOptions = {
  readonly index: Pick<DatasetIndex, 'directory'>;
  /** Absolute paths of files that nobody has reason to touch. */
  readonly canaries: readonly Uint8Array[];
};

const slash = Uint8Array.of(0x2f);

/** Counts what a scan finds missing, renamed or broken, against what the catalog remembers. */
export class ScanChanges {
  readonly #options: ScanChangesOptions;
  readonly #canaries: ReadonlySet<string>;
  filesDeleted = 0;
  namesSuspect = 0;
  canariesBroken = 0;

  constructor(options: ScanChangesOptions) {
    this.#options = options;
    this.#canaries = new Set(options.canaries.map(latin1));
  }

  /** A directory was listed: what the catalog had in it and the listing has not is gone. Both are in name order. */
  listed(
    path: Uint8Array,
    known: CatalogRecord | undefined,
    entries: readonly SourceEntry[],
  ): void {
    let at = 0;
    for (const entry of known?.entries ?? []) {
      const name = nameIn(entry.record);
      let order = 1;
      for (; at < entries.length; at++) {
        order = compare((entries[at] as SourceEntry).name, name);
        if (order >= 0) break;
      }
      if (order !== 0) this.#gone(concat([path, slash, name]), entry);
    }
  }

  /** A file of this path was stored; `before` is what the catalog remembers of it. */
  stored(path: Uint8Array, entry: TreeEntry, before: CatalogEntry | undefined): void {
    if (before === undefined) {
      if (isSuspectName(new TextDecoder().decode(entry.name))) this.namesSuspect++;
      return;
    }
    if (this.#isCanary(path) && !hasContentOf(entry, before)) this.canariesBroken++;
  }

  /** Whatever is below it has gone with it. */
  #gone(path: Uint8Array, entry: CatalogEntry): void {
    const kind = kindOf(earlierEntry(entry)?.mode ?? 0);
    if (kind === 'file') {
      this.filesDeleted++;
      if (this.#isCanary(path)) this.canariesBroken++;
    }
    if (kind !== 'directory') return;
    for (const child of this.#options.index.directory(path)?.entries ?? []) {
      this.#gone(concat([path, slash, nameIn(child.record)]), child);
    }
  }

  #isCanary(path: Uint8Array): boolean {
    return this.#canaries.size > 0 && this.#canaries.has(latin1(path));
  }
}

function hasContentOf(entry: TreeEntry, before: CatalogEntry): boolean {
  const earlier = earlierEntry(before);
  if (earlier === undefined) return false;
  const ids = (of: TreeEntry): (Uint8Array | undefined)[] => [
    ...of.content.map(({ id }) => id),
    ...of.contentList,
  ];
  const [now, then] = [ids(entry), ids(earlier)];
  return (
    entry.size === earlier.size &&
    now.length === then.length &&
    now.every((id, i) => equal(id ?? new Uint8Array(), then[i] ?? new Uint8Array()))
  );
}
