import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { equal } from '../../src/base/bytes.ts';
import type { ManifestRecord } from '../../src/services/ledger.ts';
import { filesOf, openSnapshot } from './backup-run.ts';
import type { BackupSite } from './backup-site.ts';
import { noise } from './build-snapshot.ts';
import { scratchDirectory } from './scratch-directory.ts';

/** Files on disk, and what should be found of them in a snapshot. */
export class PlantedTree implements AsyncDisposable {
  readonly #scratch = scratchDirectory();
  readonly files = new Map<string, Uint8Array>();

  get path(): string {
    return this.#scratch.path;
  }

  at(name: string): string {
    return join(this.path, name);
  }

  write(name: string, bytes: Uint8Array): void {
    mkdirSync(dirname(this.at(name)), { recursive: true });
    writeFileSync(this.at(name), bytes);
    this.files.set(this.at(name), bytes);
  }

  remove(name: string): void {
    rmSync(this.at(name));
    this.files.delete(this.at(name));
  }

  /** Five files: one that is there twice, one that compresses, one empty. */
  plant(): void {
    this.write('a', noise(100_000, 1));
    this.write('b/c', noise(500_000, 2));
    this.write('b/zeros', new Uint8Array(1_000_000).fill(7));
    this.write('b/d/e', new Uint8Array(0));
    this.write('b/copy of c', noise(500_000, 2));
  }

  /** What a site reads of a snapshot is what was written here. */
  async expectIn(record: ManifestRecord | undefined, from: BackupSite): Promise<void> {
    const read = await filesOf(await openSnapshot(from, record));
    expect([...read.keys()].sort()).toEqual([...this.files.keys()].sort());
    for (const [path, bytes] of read) {
      expect(equal(bytes, this.files.get(path) as Uint8Array), path).toBe(true);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scratch[Symbol.asyncDispose]();
  }
}
