import { concat } from '../../src/base/bytes.ts';
import type { PeerKey } from '../../src/core/ids.ts';
import type { ShardStore } from '../../src/ports/shard-store.ts';
import type { Prng } from '../prng.ts';
import type { World } from '../world.ts';
import type { Tongue } from './network.ts';

/** How a storage peer lies. Its program is the shipped one; what it sees and says is bent. */
export type Lie = 'boasts' | 'forgets' | 'corrupts' | 'replays' | 'refuses';
export const lies: readonly Lie[] = ['boasts', 'forgets', 'corrupts', 'replays', 'refuses'];

/** Says that it holds what it does not, signs for it, and answers that all is well. */
export function lyingStore(store: ShardStore, lie: Lie, world: World): ShardStore {
  if (lie !== 'boasts' && lie !== 'forgets') return store;
  const known = new Map<string, Set<number>>();
  const note = (pack: string, index: number): void => {
    known.set(pack, (known.get(pack) ?? new Set()).add(index));
  };
  return {
    indexes: (pack) => {
      world.meet('lie about shards held');
      const all = lie === 'boasts' ? [0, 1, 2, 3, 4, 5] : (known.get(pack) ?? []);
      return [...new Set([...all, ...store.indexes(pack)])].sort((a, b) => a - b);
    },
    head: (pack, index) => store.head(pack, index),
    write: async (head) => {
      const writer = await store.write(head);
      return {
        get nextLeaf() {
          return writer.nextLeaf;
        },
        append: (bytes) => writer.append(bytes),
        abandon: () => writer.abandon(),
        finish: async () => {
          await writer.finish();
          note(head.pack, head.index);
          await store.remove(head.pack, head.index);
        },
      };
    },
    read: (pack, index, leaf, count) => store.read(pack, index, leaf, count),
    verify: async () => undefined,
    sync: () => store.sync(),
    remove: (pack, index) => store.remove(pack, index),
    discard: (pack, index) => store.discard(pack, index),
    recover: (pack, index) => store.recover(pack, index),
    purge: (pack, index) => store.purge(pack, index),
    trash: () => store.trash(),
    rebuild: () => store.rebuild(),
    list: (first) => store.list(first),
    usage: () => ({ ...store.usage(), freeBytes: 2 ** 40 }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Spoils answers, gives old ones, or none. */
export function lyingTongue(lie: Lie, random: Prng, world: World): Tongue | undefined {
  const earlier: Uint8Array[] = [];
  const bend = (answer: Uint8Array, isPull: boolean): Uint8Array | undefined => {
    if (lie === 'corrupts' && isPull) return spoilt(answer, random);
    if (lie === 'corrupts' && random.chance(100)) return spoilt(answer, random);
    if (lie === 'replays') {
      earlier.push(answer);
      if (earlier.length > 64) earlier.shift();
      return random.chance(300) ? random.pick(earlier) : answer;
    }
    if (lie === 'refuses' && isPull) return undefined;
    return answer;
  };
  if (lie !== 'corrupts' && lie !== 'replays' && lie !== 'refuses') return undefined;
  return (_from: PeerKey, answer, isPull) => {
    const bent = bend(answer, isPull);
    if (bent !== answer) world.meet(`answer of a peer that ${lie}`);
    return bent;
  };
}

function spoilt(answer: Uint8Array, random: Prng): Uint8Array {
  if (answer.length === 0) return answer;
  if (random.chance(200)) return answer.slice(0, random.below(answer.length));
  if (random.chance(100)) return concat([answer, random.bytes(7)]);
  const copy = answer.slice();
  const at = random.below(copy.length);
  copy[at] = (copy[at] as number) ^ (1 << random.below(8));
  return copy;
}
