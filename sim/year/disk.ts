import type { ShardFile } from '../data/shard-files.ts';
import { AuditFile } from '../data/audit.ts';
import { Device } from '../data/device.ts';
import { ShardFiles, shardName } from '../data/shard-files.ts';
import type { Life, World } from '../world.ts';
import type { Lie } from './shards.ts';

/** A disk that takes no time: what it would take is the pace of who reads. */
class SwiftDevice extends Device {
  /** One for all hosts: a fact that no statement here names is never asked for. */
  override readonly facts: Map<string, Uint8Array>;

  constructor(world: World, facts: Map<string, Uint8Array>) {
    super(world);
    this.facts = facts;
  }

  override pause(_: Life): Promise<void> {
    return Promise.resolve();
  }

  override async write(_: Life, keep: () => void): Promise<void> {
    keep();
  }
}

/** What a host has on its disk. The statements lie on another one, with the program: they are not lost here. */
export class YearDisk {
  readonly device: Device;
  readonly shards = new ShardFiles();
  readonly records = new AuditFile();
  /** Files of which bits have turned, as they were written. */
  readonly rotten = new Set<ShardFile>();
  /** Of a cheat: what it has thrown away and pretends to have. */
  readonly dropped = new Map<string, ShardFile>();
  lie: Lie | undefined;

  constructor(world: World, facts: Map<string, Uint8Array>) {
    this.device = new SwiftDevice(world, facts);
  }

  /** A bit of the shard turns. */
  rot(file: ShardFile, at: number): void {
    file.bytes = file.bytes.slice();
    file.bytes[at % file.bytes.length] = (file.bytes[at % file.bytes.length] as number) ^ 1;
    this.rotten.add(file);
  }

  /** The file goes, and its owner goes on as if it were there. */
  drop(file: ShardFile): void {
    const name = shardName(file);
    this.shards.files.delete(name);
    this.dropped.set(name, file);
  }

  isGood(file: ShardFile): boolean {
    return !this.rotten.has(file);
  }

  empty(): void {
    this.shards.empty();
    this.rotten.clear();
  }
}
