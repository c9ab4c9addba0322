import { HoldfastError } from '../../src/core/errors.ts';
import type { Fence } from '../../src/core/format/control-records.ts';
import { compareFences } from '../../src/core/protocol/control/fence-order.ts';
import type { FenceStore, StepStore, StoredVote } from '../../src/ports/fence-store.ts';

/** A FenceStore that lives as long as the test: an agent that is restarted finds what it has kept. */
export class MemoryFenceStore implements FenceStore {
  readonly fences = new Map<string, Fence>();
  readonly votes = new Map<string, StoredVote>();
  /** Thrown instead of keeping a vote. */
  voteFailure: HoldfastError | undefined;

  async fence(name: string): Promise<Fence | undefined> {
    return this.fences.get(name);
  }

  async raise(name: string, fence: Fence): Promise<void> {
    const known = this.fences.get(name);
    if (known !== undefined && compareFences(fence, known) < 0) {
      throw new HoldfastError('not-permitted', 'the fence is outdated', {
        details: { generation: known.generation, index: known.index },
      });
    }
    this.fences.set(name, fence);
  }

  async vote(slot: string): Promise<StoredVote | undefined> {
    return this.votes.get(slot);
  }

  async castVote(slot: string, vote: StoredVote): Promise<void> {
    if (this.voteFailure !== undefined) throw this.voteFailure;
    const known = this.votes.get(slot) ?? vote;
    if (known.target !== vote.target || compareFences(known.fence, vote.fence) !== 0) {
      throw new HoldfastError('equivocation', 'this host has voted otherwise');
    }
    this.votes.set(slot, known);
  }
}

/** A StepStore that lives as long as the test. */
export class MemoryStepStore implements StepStore {
  readonly records = new Map<string, Uint8Array>();
  /** Thrown by the next write, once. */
  failure: HoldfastError | undefined;

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.records.get(name)?.slice();
  }

  async write(name: string, record: Uint8Array): Promise<void> {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    this.records.set(name, record.slice());
  }

  async remove(name: string): Promise<void> {
    this.records.delete(name);
  }

  async names(): Promise<readonly string[]> {
    return [...this.records.keys()].sort();
  }
}
