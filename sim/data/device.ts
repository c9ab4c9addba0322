import { HoldfastError } from '../../src/core/errors.ts';
import type { StreamName } from '../../src/ports/statement-log.ts';
import { type NewEntry, SimDisk } from '../log.ts';
import type { Life } from '../world.ts';

/** What a host's stores share: how long the disk takes, whether it has room, whether it works at all. */
export class Device extends SimDisk {
  /** Of a thousand writes and syncs. */
  failuresPerMille = 0;

  override async write(life: Life, keep: () => void): Promise<void> {
    // What is left of a program that has ended does nothing more.
    if (!life.isAlive) return new Promise(() => {});
    this.#fail();
    await super.write(life, keep);
  }

  /** Resolves when the disk has done something that leaves nothing behind; never after the crash of the run. */
  pause(life: Life): Promise<void> {
    const { min, max } = this.syncMs;
    return new Promise((resolve) => {
      this.world.after(this.random.between(min >> 3, max >> 2), () => {
        if (life.isAlive) resolve();
      });
    });
  }

  /** Every entry of a sequence, as it was appended. */
  entriesOf({ writer, stream }: StreamName): NewEntry[] {
    const { entries = [] } = this.sequences.get(`${writer}/${stream}`) ?? {};
    return entries.map((entry, i) => ({ ...entry, sequence: i + 1 }));
  }

  #fail(): void {
    if (this.failuresPerMille === 0 || !this.random.chance(this.failuresPerMille)) return;
    this.world.meet('write that failed');
    throw new HoldfastError('io-error', 'the simulated disk has failed to write');
  }
}

/** A store after a failed write: nothing may be called durable any more, until the program starts anew. */
export class Trust {
  #failure: unknown;

  /** @throws what the first failed write has thrown */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async of(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      const isFull = error instanceof HoldfastError && error.code === 'disk-full';
      if (!isFull) this.#failure ??= error;
      throw error;
    }
  }
}
