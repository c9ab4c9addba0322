import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import type { RunGrant } from '../../core/format/control-records.ts';
import { type FactHash, idBytes, type PackId, type StatementHash } from '../../core/ids.ts';
import { isOpen } from '../../core/protocol/control/plan-run.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { SecretStore } from '../../ports/secrets.ts';
import type { FactStore } from '../../ports/statement-log.ts';
import type { ControlAccess } from '../control/control-access.ts';
import type { Peers } from '../peers.ts';
import type { Sync } from '../sync.ts';
import { openGrant, sealedIn } from './grant.ts';
import type { RunName } from './work-order.ts';

export type RunKeysOptions = {
  readonly control: Pick<ControlAccess, 'state' | 'self'>;
  readonly secrets: SecretStore;
  readonly sealer: Sealer;
  readonly facts: FactStore;
  readonly peers: Pick<Peers, 'reachable'>;
  readonly sync: Pick<Sync, 'pullFacts'>;
};

/**
 * The keys that operators grant to this host for one run of a plan. They are sealed to an identity that was
 * made for this run alone and is forgotten with it, so that a grant cannot be opened later or elsewhere.
 */
export class RunKeys {
  readonly #options: RunKeysOptions;
  /** Two requests at once must not make two identities. */
  readonly #turn = new Semaphore(1);

  constructor(options: RunKeysOptions) {
    this.#options = options;
  }

  /** To what the keys for this run shall be sealed. @throws HoldfastError not-found (no such open run) */
  async recipient(name: RunName): Promise<string> {
    const { control, secrets, sealer } = this.#options;
    const found = control.state.plans.runOf(name);
    if (found === undefined || !isOpen(found.run)) {
      throw new HoldfastError('not-found', 'no such run of a plan is open here', {
        next: 'holdfast restore status',
      });
    }
    const release = await this.#turn.acquire();
    try {
      const known = await this.#identity(name);
      if (known !== undefined) return await sealer.recipientOf(known);
      const { identity, recipient } = await sealer.generate();
      await secrets.write(secretName(name), utf8(identity));
      return recipient;
    } finally {
      release();
    }
  }

  /**
   * The keys of a snapshot's packs, out of the newest grant to this host.
   * @throws HoldfastError key-needed (nothing was granted) | wrong-key | corrupt | not-found (facts are missing)
   */
  async keysOf(
    name: RunName,
    snapshot: StatementHash,
    options: Cancel = {},
  ): Promise<ReadonlyMap<PackId, Uint8Array>> {
    const { control, sealer } = this.#options;
    const grant = control.state.plans.runOf(name)?.run.grants.get(control.self)?.grant;
    const identity = await this.#identity(name);
    if (grant === undefined || identity === undefined) throw keyNeeded();
    const fetch = (hashes: readonly FactHash[]): Promise<Uint8Array[]> =>
      this.#facts(hashes, options);
    const sealed = await this.#sealed(grant, fetch);
    const keys = (await openGrant({ sealed, identity, sealer, fetch })).get(snapshot);
    if (keys === undefined) throw keyNeeded();
    return keys;
  }

  /** The run is over. The store removes nothing, so nothing takes its place. */
  async forget(name: RunName): Promise<void> {
    const release = await this.#turn.acquire();
    try {
      if ((await this.#identity(name)) === undefined) return;
      await this.#options.secrets.write(secretName(name), new Uint8Array());
    } finally {
      release();
    }
  }

  async #sealed(
    { sealed }: RunGrant,
    fetch: (hashes: readonly FactHash[]) => Promise<Uint8Array[]>,
  ): Promise<Uint8Array> {
    if (sealed.kind === 'inline') return sealed.bytes;
    const [fact] = await fetch([sealed.hash]);
    if (fact === undefined) throw keyNeeded();
    return sealedIn(fact);
  }

  async #identity(name: RunName): Promise<string | undefined> {
    const secret = await this.#options.secrets.read(secretName(name));
    return secret === undefined || secret.length === 0 ? undefined : fromUtf8(secret);
  }

  /** Asks one member after the other for what is missing. @throws HoldfastError not-found */
  async #facts(hashes: readonly FactHash[], { signal }: Cancel): Promise<Uint8Array[]> {
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

function keyNeeded(): HoldfastError {
  return new HoldfastError('key-needed', 'no keys were granted to this host for this run', {
    next: 'holdfast restore run PLANFILE --kit FILE',
  });
}

function secretName({ plan, run }: RunName): string {
  return `plan-${plan.slice(0, 12)}-${run}`;
}
