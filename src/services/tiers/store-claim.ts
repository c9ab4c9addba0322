import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { Cancel } from '../../ports/runtime.ts';

const markKey = 'holdfast.json';
const markSizeMax = 4096;

/**
 * The mark in a store that says whose it is. Two hosts in one store would take each other's objects for their own; and
 * a directory without its mark is the empty place where a disk was to be mounted.
 */
export class StoreClaim {
  readonly #objects: ObjectStore;
  readonly #owner: string;

  /** `owner`: what this host calls itself, and no other does. */
  constructor(objects: ObjectStore, owner: string) {
    this.#objects = objects;
    this.#owner = owner;
  }

  /**
   * @param options.mayBeNew the store was never used by this host: a missing mark is made
   * @throws HoldfastError store-unreachable (its mark has gone) | config-invalid (another host's)
   */
  async require({ mayBeNew }: { mayBeNew: boolean }, options: Cancel = {}): Promise<void> {
    const { name } = this.#objects;
    const found = await this.#objects.read(markKey, { from: 0, size: markSizeMax }, options);
    if (found !== undefined) return this.#check(found);
    if (!mayBeNew) {
      throw new HoldfastError(
        'store-unreachable',
        `${name} is there, but it is not the store that it was: its mark (${markKey}) is missing`,
        { next: `mount the disk, or correct cold.store in the configuration: ${name}` },
      );
    }
    const mark = utf8(`${JSON.stringify({ format: 1, owner: this.#owner })}\n`);
    await this.#objects.create(markKey, mark, options);
    // Not every store lets only one of two succeed: what lies there now decides.
    await this.require({ mayBeNew: false }, options);
  }

  #check(bytes: Uint8Array): void {
    const { name } = this.#objects;
    const owner = ownerIn(bytes);
    if (owner === this.#owner) return;
    throw new HoldfastError(
      'config-invalid',
      owner === undefined
        ? `${markKey} in ${name} is not readable: something else has written there`
        : `${name} is the cold store of another host (${owner.slice(0, 8)})`,
      { next: 'give each host a prefix or directory of its own in cold.store' },
    );
  }
}

function ownerIn(bytes: Uint8Array): string | undefined {
  try {
    const mark: unknown = JSON.parse(fromUtf8(bytes) ?? '');
    const owner = (mark as { owner?: unknown } | null)?.owner;
    return typeof owner === 'string' ? owner : undefined;
  } catch {
    return undefined;
  }
}
