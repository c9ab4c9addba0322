import { type FileHandle, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Semaphore } from '../../base/concurrency.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { type ShardHead, shardSizeOf } from '../../core/format/shard.ts';
import type { PackId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import type { KeyValue } from '../../ports/key-value.ts';
import type { Log } from '../../ports/runtime.ts';
import { makeDirectory, syncDirectory, syncOnce } from './atomic-write.ts';
import { isFile } from './file-access.ts';
import { bucketOf, fileNameOf, partialSuffix, type ShardName, shardPath } from './shard-file.ts';
import { indexesOf, type PackHolding, ShardListing } from './shard-listing.ts';
import { ShardTrash } from './shard-trash.ts';
import { inspectFile, quarantineName, surveyBucket } from './shard-survey.ts';
import { errnoOf, systemError } from './system-error.ts';

/** Damaged files kept for a look at them; later ones are deleted, since a dying disk makes many. */
const quarantineCountMax = 64;

export type ShardInventoryOptions = {
  readonly directory: string;
  readonly index: KeyValue;
  readonly keyPrefix: string;
  readonly log: Log;
  /** A writer or remover is at work on the shard: its partial file is not stale. */
  readonly isInUse: (name: ShardName) => boolean;
  /** Called for each shard that is no longer listed. */
  readonly onUnlisted: (name: ShardName) => void;
};

/**
 * Keeps file names and the listing in agreement. Files are the truth, the listing is derived. A shard's life:
 * `.part` file with its head -> leaves appended -> content synced -> renamed -> listed -> name synced by
 * `sync`. A crash leaves it at one of these steps: a `.part` is resumed, a renamed file that is not listed is
 * found by the survey of the next start.
 */
export class ShardInventory {
  readonly listing: ShardListing;
  readonly trash: ShardTrash;
  readonly #options: ShardInventoryOptions;
  readonly #directory: string;
  readonly #quarantine: string;
  /** One change at a time of file names together with the listing. */
  readonly #changes = new Semaphore(1);
  readonly #syncs = new Semaphore(1);
  /** Directories whose names may not be durable yet. */
  #dirty = new Set<string>();
  /** A failed sync: nothing may be called durable any more. */
  #fatal: unknown;

  constructor(options: ShardInventoryOptions) {
    this.#options = options;
    this.#directory = options.directory;
    this.#quarantine = join(options.directory, 'quarantine');
    this.trash = new ShardTrash(join(options.directory, 'trash'));
    this.listing = new ShardListing(options.index, options.keyPrefix);
  }

  /** Trusts the listing only after a clean close; otherwise the file names decide what is held. */
  async open(): Promise<void> {
    await makeDirectory(this.#quarantine);
    await this.trash.open();
    if (await this.listing.open()) return;
    // Names that the last process did not live to sync.
    this.#dirty.add(this.#directory);
    const { shards, quarantined } = await this.survey({ trustsListing: true });
    if (shards + quarantined === 0) return;
    this.#options.log.log('info', storageMessages.shardsListedFromTheirFiles, {
      shards,
      quarantined,
    });
  }

  /** Call when nobody writes any more. */
  async close(): Promise<void> {
    if (this.#fatal !== undefined) return;
    await this.sync();
    await this.#change(() => this.listing.close());
  }

  /** Of the sync that failed. */
  get failure(): string | undefined {
    if (this.#fatal === undefined) return undefined;
    return this.#fatal instanceof Error ? this.#fatal.message : String(this.#fatal);
  }

  /** @throws the error of the sync that failed, once one has. */
  refuseAfterFailedSync(): void {
    if (this.#fatal !== undefined) throw this.#fatal;
  }

  /** Whether the shard is there; puts right a listing that says otherwise. */
  async isHeld(name: ShardName): Promise<boolean> {
    const path = shardPath(this.#directory, name);
    const isThere = await isFile(path);
    const isListed = this.listing.has(name);
    if (isThere && !isListed) return this.#adopt(name, path);
    if (!isThere && isListed) await this.forget(name);
    return isThere;
  }

  /** A file that was renamed but not listed, as when the index had no room. */
  async #adopt(name: ShardName, path: string): Promise<boolean> {
    const shard = await inspectFile(path, name);
    return this.#change(async () => {
      if ('problem' in shard) {
        await this.#moveAside(name, shard.problem);
        return false;
      }
      this.#dirty.add(join(this.#directory, bucketOf(name.pack)));
      await this.listing.add(name, shard.size);
      return true;
    });
  }

  /** Turns a complete partial file into a listed shard. The file stays open. */
  async publish(head: ShardHead, file: FileHandle): Promise<void> {
    const path = shardPath(this.#directory, head);
    try {
      await syncOnce(() => file.datasync(), path);
    } catch (error) {
      this.#fatal ??= error;
      // Its pages may be in memory only: a resume after a restart would take them as stored.
      await rm(path + partialSuffix, { force: true });
      throw error;
    }
    try {
      await this.#change(async () => {
        await rename(path + partialSuffix, path);
        // Afterwards: a sync that runs meanwhile would take the mark away, and not see the name.
        this.#dirty.add(join(this.#directory, bucketOf(head.pack)));
        await this.listing.add(head, shardSizeOf(head));
      });
    } catch (error) {
      throw systemError(error, `store ${path}`);
    }
  }

  /**
   * Makes the names of all published shards durable. The listing is not synced: after a crash the files
   * are asked.
   */
  async sync(): Promise<void> {
    const release = await this.#syncs.acquire();
    try {
      this.refuseAfterFailedSync();
      for (const directory of [...this.#dirty]) {
        this.#dirty.delete(directory);
        await syncDirectory(directory).catch((error: unknown) => this.#notSynced(directory, error));
      }
    } finally {
      release();
    }
  }

  /** Only a disk that did not take what was written ends all writing. */
  async #notSynced(directory: string, error: unknown): Promise<void> {
    if (error instanceof HoldfastError && error.details.fatal === true) {
      this.#fatal ??= error;
      throw error;
    }
    if (codeOf(error) !== 'not-found' || directory === this.#directory) {
      this.#dirty.add(directory);
      throw error;
    }
    // Somebody has removed it, and with it the shards that were there: nobody may sign for them now.
    const first = Number.parseInt(basename(directory), 16);
    if (Number.isNaN(first)) return;
    for await (const { pack, holding } of this.listing.packs(first)) {
      for (const index of indexesOf(holding.mask)) await this.isHeld({ pack, index });
    }
  }

  /** Deletes the shard's file and its partial one. */
  async remove(name: ShardName): Promise<void> {
    const path = shardPath(this.#directory, name);
    try {
      await this.#change(async () => {
        await this.#unlist(name);
        await rm(path, { force: true });
        await rm(path + partialSuffix, { force: true });
      });
    } catch (error) {
      throw systemError(error, `remove ${path}`);
    }
  }

  /** Moves a listed shard into the trash. */
  async discard(name: ShardName): Promise<void> {
    const path = shardPath(this.#directory, name);
    try {
      await this.#change(async () => {
        if (!this.listing.has(name)) return;
        await this.#unlist(name);
        await this.trash.take(name, path);
        this.#dirty.add(join(this.#directory, bucketOf(name.pack)));
        this.#dirty.add(this.trash.directory);
      });
    } catch (error) {
      throw systemError(error, `discard ${path}`);
    }
  }

  /** Moves a shard out of the trash and lists it again. @returns whether it is held now. */
  async recover(name: ShardName): Promise<boolean> {
    const path = shardPath(this.#directory, name);
    try {
      return await this.#change(async () => {
        if (this.listing.has(name)) {
          // Stored anew meanwhile.
          await this.trash.delete(name);
          return true;
        }
        if (!this.trash.has(name) || !(await this.trash.give(name, path))) return false;
        this.#dirty.add(join(this.#directory, bucketOf(name.pack)));
        this.#dirty.add(this.trash.directory);
        const shard = await inspectFile(path, name);
        if ('problem' in shard) {
          await this.#moveAside(name, shard.problem);
          return false;
        }
        await this.listing.add(name, shard.size);
        return true;
      });
    } catch (error) {
      throw systemError(error, `recover ${path}`);
    }
  }

  /** Deletes what is in the trash of a shard. */
  async purge(name: ShardName): Promise<void> {
    try {
      await this.#change(() => this.trash.delete(name));
    } catch (error) {
      throw systemError(error, `delete ${fileNameOf(name)} from the trash`);
    }
  }

  /** Unlists a shard whose file has gone. */
  async forget({ pack, index }: ShardName): Promise<void> {
    await this.#change(async () => {
      // Meanwhile it may have been stored anew.
      if (await isFile(shardPath(this.#directory, { pack, index }))) return;
      await this.#unlist({ pack, index });
      this.#options.log.log('error', storageMessages.shardFileGone, { pack, index });
    });
  }

  /** Unlists a damaged shard and moves its file to the quarantine. */
  async setAside(name: ShardName, problem: string): Promise<void> {
    await this.#change(() => this.#moveAside(name, problem));
  }

  /** Compares the listing with all files; with `trustsListing`, listed files are not opened. */
  async survey(options: {
    trustsListing: boolean;
  }): Promise<{ shards: number; quarantined: number }> {
    let quarantined = 0;
    for (let first = 0; first < 256; first++) {
      // One bucket at a time: bounds the memory, and lets others change what they must in between.
      quarantined += await this.#change(() => this.#surveyBucket(first, options.trustsListing));
    }
    return { shards: this.listing.shards, quarantined };
  }

  async #surveyBucket(first: number, trustsListing: boolean): Promise<number> {
    const bucket = first.toString(16).padStart(2, '0');
    const listed = new Map<PackId, PackHolding>();
    for await (const { pack, holding } of this.listing.packs(first)) listed.set(pack, holding);
    const { found, damaged } = await surveyBucket({
      directory: this.#directory,
      bucket,
      known: trustsListing ? listed : new Map(),
      isInUse: this.#options.isInUse,
    });
    const gone = [...listed.keys()].map((pack) => [pack, { mask: 0, size: 0 }] as const);
    await this.listing.replace(new Map([...gone, ...found]));
    for (const name of damaged) await this.#moveAside(name, name.problem);
    if (found.size > 0) this.#dirty.add(join(this.#directory, bucket));
    return damaged.length;
  }

  async #moveAside({ pack, index }: ShardName, problem: string): Promise<void> {
    const path = shardPath(this.#directory, { pack, index });
    await this.#unlist({ pack, index });
    await makeDirectory(this.#quarantine);
    const kept = await quarantineName(this.#quarantine, { pack, index }, quarantineCountMax);
    try {
      if (kept === undefined) await rm(path);
      else await rename(path, join(this.#quarantine, kept));
    } catch (error) {
      // Another reader of the same damage was first.
      if (errnoOf(error) === 'ENOENT') return;
      throw systemError(error, `put aside ${path}`);
    }
    this.#options.log.log('error', storageMessages.shardQuarantined, {
      pack,
      index,
      problem,
      kept: kept ?? 'no',
    });
  }

  async #unlist(name: ShardName): Promise<void> {
    this.#options.onUnlisted(name);
    await this.listing.remove(name);
  }

  async #change<Result>(work: () => Promise<Result>): Promise<Result> {
    const release = await this.#changes.acquire();
    try {
      return await work();
    } finally {
      release();
    }
  }
}
