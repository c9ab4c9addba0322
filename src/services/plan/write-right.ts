import { secondMs } from '../../base/units.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import type { DatasetId } from '../../core/ids.ts';
import type { ApplyOutcome } from '../../core/protocol/control/control-state.ts';
import type { ControlAccess } from '../control/control-access.ts';
import type { LeaseKeeper } from './lease-keeper.ts';

type Leases = Pick<LeaseKeeper, 'allows' | 'suspend' | 'resume'>;

export type WrittenDataset = { readonly id: DatasetId; readonly name: string };

/** A backup needs no quorum, so it waits for one no longer than this. */
const newsTimeoutMs = 2 * secondMs;

/**
 * Whether this host may write a dataset: asked before a backup begins, and again before its snapshot is
 * signed, since another copy may have become the live one meanwhile, or while this host was off, cut off or
 * asleep. Giving the right up waits for what is being signed, and lets nothing new be signed.
 *
 * Without a quorum the last known word counts: who is cut off may go on, unless it holds a lease. That is why
 * nobody may be promoted on silence alone, and somebody may when a lease has run out.
 */
export class WriteRight {
  readonly #control: ControlAccess;
  readonly #leases: Leases;
  readonly #givenUp = new Set<DatasetId>();
  readonly #signing = new Map<DatasetId, Set<Promise<unknown>>>();

  constructor(control: ControlAccess, leases: Leases) {
    this.#control = control;
    this.#leases = leases;
  }

  /** Hears the newest word of the log, where it can be had. @throws HoldfastError not-permitted */
  async ask(dataset: WrittenDataset): Promise<void> {
    // What is refused already stays refused: only operators change that.
    this.#require(dataset);
    await this.#hear();
    this.#require(dataset);
  }

  /** Signs a snapshot, unless the right was lost meanwhile. @throws HoldfastError not-permitted; as `sign` */
  async sign<T>(dataset: WrittenDataset, sign: () => Promise<T>): Promise<T> {
    this.#require(dataset);
    // Who knows no leader has waited for one at the beginning.
    if (this.#control.status().leader !== undefined) await this.#hear();
    this.#require(dataset);
    const signing = this.#signing.get(dataset.id) ?? new Set();
    this.#signing.set(dataset.id, signing);
    const signed = sign();
    signing.add(signed);
    try {
      return await signed;
    } finally {
      signing.delete(signed);
    }
  }

  /**
   * Says for this host that its copy is off. When nobody answers, the word may still come to be heard: then
   * nothing is written until it was said again, or this agent has restarted and heard the log.
   * @throws HoldfastError not-permitted (no plan has named it) | no-quorum | failed (programs that do not stop)
   */
  async demote({ id, name }: WrittenDataset): Promise<ApplyOutcome & { readonly index: number }> {
    const control = this.#control;
    // Its number must be the current one: another may have been promoted meanwhile.
    await control.confirm();
    const known = control.state.incarnations.of(id);
    if (known === undefined) {
      throw new HoldfastError('not-permitted', `no plan has named dataset ${name} yet`, {
        next: `submit the plan first: holdfast restore plan ${name} --to SITE`,
      });
    }
    this.#givenUp.add(id);
    await Promise.allSettled(this.#signing.get(id) ?? []);
    // Before it is said: this host may never hear that the log has it, and another copy may begin then.
    await this.#leases.suspend(name);
    const { incarnation } = known;
    const applied = await control.submit({ kind: 'demote', dataset: id, incarnation });
    // From here on the log says it, or it was void.
    this.#givenUp.delete(id);
    this.#leases.resume(name);
    return applied;
  }

  async #hear(): Promise<void> {
    try {
      await this.#control.confirm({ timeoutMs: newsTimeoutMs });
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
  }

  #require({ id, name }: WrittenDataset): void {
    const { state, self } = this.#control;
    const { may, reason } = state.mayWrite(self, id);
    if (may && !this.#leases.allows(id)) {
      const what = `this host may not back up dataset ${name} now: its lease has run out, and no quorum has renewed it`;
      throw new HoldfastError('no-quorum', what, { next: 'holdfast coordinator status' });
    }
    if (may && !this.#givenUp.has(id)) return;
    const why = may ? 'it is giving its copy up, and waits for a quorum' : reason;
    throw new HoldfastError('not-permitted', `this host may not back up dataset ${name}: ${why}`, {
      next: may
        ? `holdfast dataset demote ${name}, which says it again`
        : `holdfast dataset show ${name}; it goes on there. To bring it back here: holdfast restore plan ${name} --to SITE, or an operator decides: holdfast dataset reinstate ${name} --agent NAME`,
    });
  }
}
