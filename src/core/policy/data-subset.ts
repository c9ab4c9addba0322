import { idBytes, type PackId } from '../ids.ts';

/** Which packs to read: all, one of `of` parts that together are all, or a share of them drawn by chance. */
export type DataSubset =
  | { readonly part: number; readonly of: number }
  | { readonly share: number };

/** More would leave parts of small clusters empty. */
export const partsMax = 1024;

/** `7/30`: the seventh of thirty parts; `5%`: so many, drawn anew each time. Undefined: neither. */
export function parseDataSubset(text: string): DataSubset | undefined {
  const [, part, of] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  if (part !== undefined && of !== undefined) {
    const isPart = Number(part) >= 1 && Number(part) <= Number(of) && Number(of) <= partsMax;
    return isPart ? { part: Number(part), of: Number(of) } : undefined;
  }
  const percent = Number(/^(\d{1,3}(?:\.\d+)?)%$/.exec(text)?.[1]);
  return percent > 0 && percent <= 100 ? { share: percent / 100 } : undefined;
}

/**
 * Parts are the same on every host and every day; of a share at least one pack is drawn.
 * `below`: a number from 0 up to, and without, its argument, by chance.
 */
export function subsetOf(
  packs: readonly PackId[],
  subset: DataSubset,
  below: (count: number) => number,
): ReadonlySet<PackId> {
  if ('part' in subset) {
    return new Set(packs.filter((pack) => firstWord(pack) % subset.of === subset.part - 1));
  }
  const left = [...packs];
  const drawn = new Set<PackId>();
  const count = Math.ceil(packs.length * subset.share);
  while (drawn.size < count) {
    const at = below(left.length);
    drawn.add(left[at] as PackId);
    left[at] = left.at(-1) as PackId;
    left.pop();
  }
  return drawn;
}

function firstWord(pack: PackId): number {
  const id = idBytes(pack);
  return new DataView(id.buffer, id.byteOffset, 4).getUint32(0);
}
