import { assert } from '../../base/assert.ts';
import { concat } from '../../base/bytes.ts';
import { malformed } from './field.ts';
import { nodeHashOf } from './merkle-log.ts';

// A log as a directory of files, as in https://c2sp.org/tlog-tiles: hashes of full subtrees in tiles of 256,
// entries in bundles of 256. Any tool that reads this layout can check and search it.

/** A file of the layout. */
export type LogTile = { readonly path: string; readonly bytes: Uint8Array };

const tileWidth = 256;
const hashSize = 32;

/** All files of a log with these entries, each of at most 65535 bytes, and their leaf hashes. */
export function* logTiles(
  entries: readonly Uint8Array[],
  leafHashes: readonly Uint8Array[],
): Generator<LogTile> {
  assert(entries.length === leafHashes.length, 'each entry has its leaf hash');
  for (let i = 0; i < entries.length; i += tileWidth) {
    const part = entries.slice(i, i + tileWidth);
    yield { path: `tile/entries/${tileName(i / tileWidth, part.length)}`, bytes: bundleOf(part) };
  }
  let hashes = leafHashes;
  for (let level = 0; hashes.length > 0; level++) {
    const next: Uint8Array[] = [];
    for (let i = 0; i < hashes.length; i += tileWidth) {
      const part = hashes.slice(i, i + tileWidth);
      yield { path: `tile/${level}/${tileName(i / tileWidth, part.length)}`, bytes: concat(part) };
      if (part.length === tileWidth) next.push(fullRoot(part));
    }
    hashes = next;
  }
}

/** The path of the bundle that holds entries from `256 * number` on, of which it has `count`. */
export function bundlePath(number: number, count: number): string {
  return `tile/entries/${tileName(number, count)}`;
}

/** Groups of three digits, all but the last marked with an x; a tile that is not full says how full it is. */
function tileName(number: number, count: number): string {
  let name = String(number % 1000).padStart(3, '0');
  for (let rest = Math.floor(number / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    name = `x${String(rest % 1000).padStart(3, '0')}/${name}`;
  }
  return count === tileWidth ? name : `${name}.p/${count}`;
}

/** Entries, each with its size (2 bytes, big-endian) before it. */
function bundleOf(entries: readonly Uint8Array[]): Uint8Array {
  return concat(
    entries.flatMap((entry) => {
      assert(entry.length <= 0xffff, 'an entry of a bundle is short');
      return [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry];
    }),
  );
}

/** The entries of a bundle. @throws HoldfastError bad-encoding */
export function entriesIn(bundle: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length; ) {
    const size = ((bundle[at] as number) << 8) | (bundle[at + 1] ?? 0);
    const end = at + 2 + size;
    if (end > bundle.length) throw malformed('a bundle of entries is cut short');
    entries.push(bundle.slice(at + 2, end));
    at = end;
  }
  if (entries.length > tileWidth) throw malformed('a bundle holds too many entries');
  return entries;
}

/** The root of a full tile: 256 hashes, eight levels. */
function fullRoot(hashes: readonly Uint8Array[]): Uint8Array {
  let level = hashes;
  while (level.length > 1) {
    const above: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2) {
      above.push(nodeHashOf(level[i] as Uint8Array, level[i + 1] as Uint8Array));
    }
    level = above;
  }
  const [root] = level;
  assert(root?.length === hashSize, 'a tile has a root');
  return root;
}
