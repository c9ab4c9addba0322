import type { PackId } from '../../src/core/ids.ts';
import type { Prng } from '../prng.ts';

export type ShardFile = {
  readonly pack: PackId;
  readonly index: number;
  /** What stands before the shard's bytes. */
  head: Uint8Array;
  bytes: Uint8Array;
  /** Its name survives power loss. */
  isDurable: boolean;
};

export type PartialFile = { readonly head: Uint8Array; bytes: Uint8Array };

export function shardName({ pack, index }: { pack: PackId; index: number }): string {
  return `${pack}.${index}`;
}

/** The shard files of one directory on a simulated disk. */
export class ShardFiles {
  readonly files = new Map<string, ShardFile>();
  readonly partial = new Map<string, PartialFile>();
  /** Shards that a fault has taken or spoilt: nobody is to blame for their loss. */
  readonly harmed = new Set<string>();
  /** Set aside by the program, since they were damaged. */
  readonly quarantined = new Set<string>();
  readonly trash = new Map<string, ShardFile>();

  get bytes(): number {
    let bytes = 0;
    for (const file of this.files.values()) bytes += file.bytes.length;
    for (const file of this.partial.values()) bytes += file.bytes.length;
    return bytes;
  }

  /** Names that were not synced are kept or lost; the end of a partial file is whatever the disk had there. */
  crash(random: Prng): void {
    for (const [name, file] of this.files) {
      if (file.isDurable || random.chance(500)) continue;
      this.files.delete(name);
      if (random.chance(500)) this.partial.set(name, { head: file.head, bytes: file.bytes });
    }
    for (const file of this.files.values()) file.isDurable = true;
    for (const file of this.partial.values()) tear(file, random);
  }

  harm(name: string): ShardFile | undefined {
    this.harmed.add(name);
    return this.files.get(name);
  }

  /** Takes all files away. */
  empty(): void {
    for (const name of this.files.keys()) this.harmed.add(name);
    this.files.clear();
    this.partial.clear();
  }

  image(): ShardFiles {
    const copy = new ShardFiles();
    for (const [name, file] of this.files) copy.files.set(name, { ...file });
    for (const [name, file] of this.partial) copy.partial.set(name, { ...file });
    for (const name of this.harmed) copy.harmed.add(name);
    return copy;
  }

  /** Goes back to an image of before. */
  rollBack(image: ShardFiles): void {
    for (const name of this.files.keys()) if (!image.files.has(name)) this.harmed.add(name);
    this.files.clear();
    this.partial.clear();
    for (const [name, file] of image.files) this.files.set(name, { ...file });
    for (const [name, file] of image.partial) this.partial.set(name, { ...file });
  }
}

function tear(file: PartialFile, random: Prng): void {
  const end = random.below(file.bytes.length + 1);
  const bytes = file.bytes.slice();
  if (random.chance(500)) file.bytes = bytes.slice(0, end);
  else {
    bytes.fill(0, end);
    file.bytes = bytes;
  }
}
