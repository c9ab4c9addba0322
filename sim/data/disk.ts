import type { FactHash } from '../../src/core/ids.ts';
import type { RaftStored } from '../../src/core/protocol/raft/types.ts';
import { ControlDisk } from '../control/disk.ts';
import type { LogHead } from '../../src/ports/statement-log.ts';
import type { Prng } from '../prng.ts';
import type { World } from '../world.ts';
import { AuditFile } from './audit.ts';
import { PromiseFile } from './promises.ts';
import { Device } from './device.ts';
import { ShardFiles } from './shard-files.ts';
import { IndexFile } from './stores.ts';

/** A copy of a whole disk, as a virtual machine's snapshot is one. */
export type DiskImage = {
  readonly heads: readonly LogHead[];
  readonly facts: ReadonlyMap<string, Uint8Array>;
  readonly shards: ShardFiles;
  readonly outbox: ShardFiles;
  readonly index: IndexFile;
  readonly audit: AuditFile;
  readonly promises: PromiseFile;
};

/** All that a host has on its disk, from one run of its program to the next. */
export class DataDisk {
  /** Statements and facts lie on it; it decides for all stores how long a write takes and what a crash leaves. */
  readonly device: Device;
  readonly control: ControlDisk;
  readonly shards = new ShardFiles();
  readonly outbox = new ShardFiles();
  readonly index = new IndexFile();
  readonly audit = new AuditFile();
  readonly promises = new PromiseFile();
  readonly secrets = new Map<string, Uint8Array>();
  readonly keyRecords = new Map<FactHash, Uint8Array>();
  readonly stagedKeyRecords = new Map<FactHash, Uint8Array>();
  /** Sequences that went back in time, or into whose place something else came. */
  hasForgotten = false;
  /** A fault has taken facts, which no shard brings back. */
  hasLostFacts = false;

  constructor(world: World, stored: RaftStored) {
    this.device = new Device(world);
    this.control = new ControlDisk(world, { stored, statements: undefined });
  }

  crash(random: Prng): void {
    this.device.crash();
    this.control.device.crash();
    this.shards.crash(random);
    this.outbox.crash(random);
    if (this.index.crash(random) > 0) this.device.world.meet('end of the index lost in a crash');
  }

  image(): DiskImage {
    return {
      heads: this.device.heads(),
      facts: new Map(this.device.facts),
      shards: this.shards.image(),
      outbox: this.outbox.image(),
      index: this.index.image(),
      audit: this.audit.image(),
      promises: this.promises.image(),
    };
  }

  /** What was written since the image is gone. The control journal stays: forgetting a vote is another test's. */
  rollBack(image: DiskImage): void {
    this.hasForgotten = true;
    for (const head of this.device.heads()) {
      const before = image.heads.find(
        ({ writer, stream }) => writer === head.writer && stream === head.stream,
      );
      this.device.rollBack(head, head.sequence - (before?.sequence ?? 0));
    }
    this.device.facts.clear();
    for (const [name, fact] of image.facts) this.device.facts.set(name, fact);
    this.shards.rollBack(image.shards);
    this.outbox.rollBack(image.outbox);
    this.index.rollBack(image.index);
    this.audit.rollBack(image.audit);
    this.promises.rollBack(image.promises);
    this.promises.locks = new Map(image.promises.locks);
  }
}
