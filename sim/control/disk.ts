import { HoldfastError } from '../../src/core/errors.ts';
import type { Fence } from '../../src/core/format/control-records.ts';
import { compareFences } from '../../src/core/protocol/control/fence-order.ts';
import type { RaftStored, RaftWrite } from '../../src/core/protocol/raft/types.ts';
import type { ControlJournal } from '../../src/ports/control-journal.ts';
import type { FenceStore, StepStore, StoredVote } from '../../src/ports/fence-store.ts';
import type { GenerationStart, GenerationStore } from '../../src/ports/generation-store.ts';
import { SimDisk } from '../log.ts';
import { RaftDisk } from '../raft/disk.ts';
import type { Life, World } from '../world.ts';

/** What a host begins with. */
export type Begun = {
  readonly stored: RaftStored;
  /** Of the cluster's statements; undefined: they are still to come. */
  readonly statements: SimDisk | undefined;
};

/** What a host of the control plane has on its disk. */
export class ControlDisk {
  /** Decides how long a write takes, and what of it a crash leaves. */
  readonly device: SimDisk;
  /** Membership does not change here, and is not what is tested: this one never fails. */
  readonly statements: SimDisk;
  readonly log: RaftDisk;
  readonly fences = new Map<string, Fence>();
  readonly votes = new Map<string, StoredVote>();
  readonly steps = new Map<string, Uint8Array>();
  generation: GenerationStart | undefined;

  constructor(world: World, { stored, statements }: Begun) {
    this.device = new SimDisk(world);
    this.statements = new SimDisk(world);
    for (const [key, { name, entries }] of statements?.sequences ?? []) {
      this.statements.sequences.set(key, { name, entries: [...entries] });
    }
    this.log = new RaftDisk(stored.snapshot.config);
    this.log.hard = stored.hard;
    this.log.snapshot = stored.snapshot;
    this.log.entries = [...stored.entries];
  }

  /** What is on it now. */
  copy(): DiskCopy {
    const { log, fences, votes, steps, generation } = this;
    return {
      stored: log.stored,
      lost: log.lost,
      fences: new Map(fences),
      votes: new Map(votes),
      steps: new Map(steps),
      generation,
    };
  }

  /** From here on it has what a copy of it had. */
  restore({ stored, lost, fences, votes, steps, generation }: DiskCopy): void {
    this.log.hard = stored.hard;
    this.log.snapshot = stored.snapshot;
    this.log.entries = [...stored.entries];
    this.log.lost = lost;
    refill(this.fences, fences);
    refill(this.votes, votes);
    refill(this.steps, steps);
    this.generation = generation;
  }
}

export type DiskCopy = {
  readonly stored: RaftStored;
  readonly lost: RaftDisk['lost'];
  readonly fences: ReadonlyMap<string, Fence>;
  readonly votes: ReadonlyMap<string, StoredVote>;
  readonly steps: ReadonlyMap<string, Uint8Array>;
  readonly generation: GenerationStart | undefined;
};

function refill<Value>(map: Map<string, Value>, by: ReadonlyMap<string, Value>): void {
  map.clear();
  for (const [key, value] of by) map.set(key, value);
}

/** The generation store of one run. */
export class SimGenerations implements GenerationStore {
  readonly #disk: ControlDisk;
  readonly #life: Life;

  constructor(disk: ControlDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  async read(): Promise<GenerationStart | undefined> {
    return this.#disk.generation;
  }

  async write(start: GenerationStart): Promise<void> {
    await this.#disk.device.write(this.#life, () => {
      this.#disk.generation = start;
    });
  }
}

/** The control journal of one run. A write is there as a whole or not at all. */
export class SimJournal implements ControlJournal {
  readonly stored: RaftStored;
  readonly damage: ControlJournal['damage'];
  readonly #disk: ControlDisk;
  readonly #life: Life;

  constructor(disk: ControlDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
    const { stored, lost } = disk.log;
    this.stored = stored;
    this.damage = lost && {
      lostUpTo: lost.index,
      lostTerm: lost.term,
      reason: 'an unreadable entry',
    };
  }

  write(write: RaftWrite): Promise<void> {
    return this.#disk.device.write(this.#life, () => this.#disk.log.write(write));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The fence store of one run. */
export class SimFences implements FenceStore {
  readonly #disk: ControlDisk;
  readonly #life: Life;

  constructor(disk: ControlDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  async fence(name: string): Promise<Fence | undefined> {
    return this.#disk.fences.get(name);
  }

  async raise(name: string, fence: Fence): Promise<void> {
    const known = this.#disk.fences.get(name);
    if (known !== undefined && compareFences(fence, known) < 0) {
      throw new HoldfastError('not-permitted', 'the fence is outdated', {
        details: { generation: known.generation, index: known.index },
      });
    }
    if (known !== undefined && compareFences(fence, known) === 0) return;
    await this.#disk.device.write(this.#life, () => this.#disk.fences.set(name, fence));
  }

  async vote(slot: string): Promise<StoredVote | undefined> {
    return this.#disk.votes.get(slot);
  }

  async castVote(slot: string, vote: StoredVote): Promise<void> {
    const known = this.#disk.votes.get(slot);
    if (known === undefined) {
      await this.#disk.device.write(this.#life, () => this.#disk.votes.set(slot, vote));
      return;
    }
    if (known.target !== vote.target || compareFences(known.fence, vote.fence) !== 0) {
      throw new HoldfastError('equivocation', 'this host has voted otherwise');
    }
  }
}

/** The step store of one run. */
export class SimSteps implements StepStore {
  readonly #disk: ControlDisk;
  readonly #life: Life;

  constructor(disk: ControlDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.#disk.steps.get(name)?.slice();
  }

  async write(name: string, record: Uint8Array): Promise<void> {
    const copy = record.slice();
    await this.#disk.device.write(this.#life, () => this.#disk.steps.set(name, copy));
  }

  async remove(name: string): Promise<void> {
    await this.#disk.device.write(this.#life, () => this.#disk.steps.delete(name));
  }

  async names(): Promise<readonly string[]> {
    return [...this.#disk.steps.keys()].sort();
  }
}
