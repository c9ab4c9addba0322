import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { FactHash, PackId, StatementHash } from '../../core/ids.ts';
import { type HeldGrant, isOpen } from '../../core/protocol/control/plan-run.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { SecretStore } from '../../ports/secrets.ts';
import type { ControlAccess } from '../control/control-access.ts';
import { openGrant } from './grant.ts';
import { GrantFacts, type GrantFactsOptions } from './grant-facts.ts';
import type { RunName } from './work-order.ts';

export type RunKeysOptions = GrantFactsOptions & {
  readonly control: Pick<ControlAccess, 'state' | 'self'>;
  readonly secrets: SecretStore;
  readonly sealer: Sealer;
};

/**
 * The keys that operators grant to this host for one run of a plan. They are sealed to an identity that was
 * made for this run alone and is forgotten with it, so that a grant cannot be opened later or elsewhere.
 */
export class RunKeys {
  readonly #options: RunKeysOptions;
  readonly #facts: GrantFacts;
  /** Two requests at once must not make two identities. */
  readonly #turn = new Semaphore(1);

  constructor(options: RunKeysOptions) {
    this.#options = options;
    this.#facts = new GrantFacts(options);
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
    const held = this.#held(name);
    const identity = await this.#identity(name);
    if (held === undefined || identity === undefined) throw keyNeeded();
    const { grant, wait } = held;
    if (control.state.time.isOver(wait)) throw expired();
    const fetch = (hashes: readonly FactHash[]): Promise<Uint8Array[]> =>
      this.#facts.fetch(hashes, options);
    const sealed = await this.#facts.sealed(grant.sealed, options);
    const keys = (await openGrant({ sealed, identity, sealer, fetch })).get(snapshot);
    if (keys === undefined) throw keyNeeded();
    return keys;
  }

  /** Of the entry that has granted them: who serves this host must have applied it. */
  grantIndex(name: RunName): number {
    const held = this.#held(name);
    // Indexes of an older generation say nothing in this one.
    const isOfNow = held?.wait.generation === this.#options.control.state.generation;
    return isOfNow ? (held?.index ?? 0) : 0;
  }

  #held(name: RunName): HeldGrant | undefined {
    const { control } = this.#options;
    return control.state.plans.runOf(name)?.run.grants.get(control.self);
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

  async #identity(name: RunName): Promise<string | undefined> {
    const secret = await this.#options.secrets.read(secretName(name));
    return secret === undefined || secret.length === 0 ? undefined : fromUtf8(secret);
  }
}

function keyNeeded(): HoldfastError {
  return new HoldfastError('key-needed', 'no keys were granted to this host for this run', {
    next: 'holdfast restore run PLANFILE --kit FILE',
  });
}

function expired(): HoldfastError {
  return new HoldfastError(
    'key-needed',
    'the keys granted to this host for this run have expired',
    {
      next: 'grant them anew: holdfast restore run PLANFILE --kit FILE',
    },
  );
}

function secretName({ plan, run }: RunName): string {
  return `plan-${plan.slice(0, 12)}-${run}`;
}
