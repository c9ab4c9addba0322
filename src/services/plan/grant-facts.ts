import { codeOf, HoldfastError } from '../../core/errors.ts';
import type { SealedKeys } from '../../core/format/control-records.ts';
import { type FactHash, idBytes } from '../../core/ids.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { FactStore } from '../../ports/statement-log.ts';
import type { Peers } from '../peers.ts';
import type { Sync } from '../sync.ts';
import { sealedIn } from './grant.ts';

export type GrantFactsOptions = {
  readonly facts: FactStore;
  readonly peers: Pick<Peers, 'reachable'>;
  readonly sync: Pick<Sync, 'pullFacts'>;
};

/** Gets the parts of grants that did not fit the control log, from whichever member holds them. */
export class GrantFacts {
  readonly #options: GrantFactsOptions;

  constructor(options: GrantFactsOptions) {
    this.#options = options;
  }

  /** The age file at the top of a grant. @throws HoldfastError not-found | bad-encoding */
  async sealed(keys: SealedKeys, options: Cancel): Promise<Uint8Array> {
    if (keys.kind === 'inline') return keys.bytes;
    const [fact] = await this.fetch([keys.hash], options);
    if (fact !== undefined) return sealedIn(fact);
    throw new HoldfastError('not-found', 'the granted keys cannot be had');
  }

  /** Asks one member after the other for what is missing. In order. @throws HoldfastError not-found */
  async fetch(hashes: readonly FactHash[], { signal }: Cancel): Promise<Uint8Array[]> {
    const { facts, peers, sync } = this.#options;
    const held = async (): Promise<Uint8Array[]> => {
      const found = await Promise.all(hashes.map((hash) => facts.get(idBytes(hash))));
      return found.filter((fact) => fact !== undefined);
    };
    let found = await held();
    for (const { peerKey } of peers.reachable()) {
      if (found.length === hashes.length) return found;
      signal?.throwIfAborted();
      try {
        await sync.pullFacts(peerKey, hashes);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
      }
      found = await held();
    }
    if (found.length === hashes.length) return found;
    const missing = hashes.length - found.length;
    throw new HoldfastError('not-found', `${missing} parts of the granted keys cannot be had`, {
      next: 'start the agent through which they were granted, then run it again',
      details: { missing },
    });
  }
}
