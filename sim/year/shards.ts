import { MiB } from '../../src/base/units.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { decodeShardFileHead, type ShardHead } from '../../src/core/format/shard.ts';
import type { PackId } from '../../src/core/ids.ts';
import { type ShardFile, shardName } from '../data/shard-files.ts';
import { SimShards } from '../data/shards.ts';
import type { Life } from '../world.ts';
import type { YearDisk } from './disk.ts';

const shardsOfHere = 16;
const room = 1024 * 1024 * MiB;

/** What a cheat says when it is asked for what it has thrown away. */
export type Lie = 'denies' | 'spoils' | 'hides';
export const lies: readonly Lie[] = ['denies', 'spoils', 'hides'];

/** A store with as many shards of a pack as there can be here: it is asked often. A cheat has fewer than it says. */
export class YearShards extends SimShards {
  readonly #disk: YearDisk;

  constructor(disk: YearDisk, life: Life) {
    super({ files: disk.shards, device: disk.device, life, capacity: () => room });
    this.#disk = disk;
  }

  override indexes(pack: PackId): readonly number[] {
    const { dropped, shards } = this.#disk;
    const found: number[] = [];
    for (let index = 0; index < shardsOfHere; index++) {
      const name = shardName({ pack, index });
      if (shards.files.has(name) || dropped.has(name)) found.push(index);
    }
    return found;
  }

  override async head(pack: PackId, index: number): Promise<ShardHead> {
    const file = this.#dropped(pack, index);
    return file === undefined ? super.head(pack, index) : decodeShardFileHead(file.head).head;
  }

  override async read(
    ...[pack, index, ...range]: Parameters<SimShards['read']>
  ): Promise<Uint8Array> {
    const file = this.#dropped(pack, index);
    if (file === undefined) return super.read(pack, index, ...range);
    const { lie } = this.#disk;
    if (lie === 'spoils') return new Uint8Array(file.bytes.length);
    throw new HoldfastError(lie === 'hides' ? 'timeout' : 'not-found', 'a cheat was asked');
  }

  #dropped(pack: PackId, index: number): ShardFile | undefined {
    return this.#disk.dropped.get(shardName({ pack, index }));
  }
}
