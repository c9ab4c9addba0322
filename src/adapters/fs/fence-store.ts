import { join } from 'node:path';
import { Semaphore } from '../../base/concurrency.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { LayoutReader, LayoutWriter } from '../../core/format/byte-layout.ts';
import type { Fence } from '../../core/format/control-records.ts';
import { type AgentKey, idBytes, idOf } from '../../core/ids.ts';
import { compareFences } from '../../core/protocol/control/fence-order.ts';
import type { FenceStore, StepStore, StoredVote } from '../../ports/fence-store.ts';
import { makeDirectory } from './atomic-write.ts';
import { CheckedRecords } from './checked-record.ts';

/**
 * Fences, votes and steps of plans below `directory`, which exists.
 * @throws HoldfastError disk-full | io-error
 */
export async function openFenceStore(
  directory: string,
): Promise<{ readonly fences: FenceStore; readonly steps: StepStore }> {
  const records = async (name: string): Promise<CheckedRecords> => {
    await makeDirectory(join(directory, name));
    return new CheckedRecords(join(directory, name));
  };
  const fences = new FileFenceStore(await records('fences'), await records('votes'));
  return { fences, steps: await records('steps') };
}

class FileFenceStore implements FenceStore {
  readonly #fences: CheckedRecords;
  readonly #votes: CheckedRecords;
  /** What is compared with the record must still stand when it is replaced. */
  readonly #turn = new Semaphore(1);

  constructor(fences: CheckedRecords, votes: CheckedRecords) {
    this.#fences = fences;
    this.#votes = votes;
  }

  async fence(name: string): Promise<Fence | undefined> {
    const record = await this.#fences.read(name);
    return record === undefined ? undefined : decoded(name, () => fenceIn(record));
  }

  async raise(name: string, fence: Fence): Promise<void> {
    const release = await this.#turn.acquire();
    try {
      const known = await this.fence(name);
      const order = known === undefined ? 1 : compareFences(fence, known);
      if (known !== undefined && order < 0) throw outdated(fence, known);
      if (order > 0) await this.#fences.write(name, fenceRecord(fence).done());
    } finally {
      release();
    }
  }

  async vote(slot: string): Promise<StoredVote | undefined> {
    const record = await this.#votes.read(slot);
    return record === undefined ? undefined : decoded(slot, () => voteIn(record));
  }

  async castVote(slot: string, vote: StoredVote): Promise<void> {
    const release = await this.#turn.acquire();
    try {
      const known = await this.vote(slot);
      if (known === undefined) await this.#votes.write(slot, voteRecord(vote));
      else if (!isSameVote(known, vote)) throw secondVote(slot);
    } finally {
      release();
    }
  }
}

function outdated(fence: Fence, known: Fence): HoldfastError {
  const what = `the fence ${fence.generation}/${fence.index} is outdated: this host obeys`;
  return new HoldfastError('not-permitted', `${what} ${known.generation}/${known.index}`, {
    details: { generation: known.generation, index: known.index },
  });
}

function secondVote(slot: string): HoldfastError {
  return new HoldfastError('equivocation', 'this host has voted otherwise', { details: { slot } });
}

function isSameVote(a: StoredVote, b: StoredVote): boolean {
  return a.target === b.target && compareFences(a.fence, b.fence) === 0;
}

// Fence: generation (8) ‖ index (8). Vote: fence ‖ 0, or 1 and the target's key (32).

const halfRange = 2 ** 32;

function fenceRecord({ generation, index }: Fence, more = 0): LayoutWriter {
  return [generation, index].reduce(
    (writer, value) => writer.uint32(Math.floor(value / halfRange)).uint32(value % halfRange),
    new LayoutWriter(16 + more),
  );
}

function voteRecord({ target, fence }: StoredVote): Uint8Array {
  if (target === undefined) return fenceRecord(fence, 1).byte(0).done();
  return fenceRecord(fence, 33).byte(1).put(idBytes(target)).done();
}

function fenceIn(record: Uint8Array): Fence {
  const reader = new LayoutReader(record, 'a fence');
  const fence = fenceFrom(reader);
  reader.end();
  return fence;
}

function voteIn(record: Uint8Array): StoredVote {
  const reader = new LayoutReader(record, 'a vote');
  const fence = fenceFrom(reader);
  const target = reader.byte() === 0 ? undefined : idOf<AgentKey>(reader.take(32));
  reader.end();
  return { target, fence };
}

function fenceFrom(reader: LayoutReader): Fence {
  const number = (): number => reader.uint32() * halfRange + reader.uint32();
  return { generation: number(), index: number() };
}

/** A record whose digest fits but which cannot be read was written by another version: no less corrupt. */
function decoded<Value>(name: string, decode: () => Value): Value {
  try {
    return decode();
  } catch (cause) {
    if (codeOf(cause) !== 'bad-encoding') throw cause;
    throw new HoldfastError('corrupt', `the record "${name}" cannot be read`, { cause });
  }
}
