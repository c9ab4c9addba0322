import type { KeepingHost } from '../host.ts';
import type { KeepingChecker, KeepingSeen } from '../observation.ts';

/** A host whose clock has jumped by more than a day lets go of nothing until an operator has looked. */
export class ClockTrusted implements KeepingChecker {
  readonly name = 'clock-trusted';
  readonly #jumped = new Set<KeepingHost>();

  observe(seen: KeepingSeen): string | undefined {
    if (seen.kind === 'jump') this.#jumped.add(seen.host);
    if (seen.kind === 'thaw') this.#jumped.delete(seen.host);
    if (seen.kind !== 'discard' && seen.kind !== 'purge') return undefined;
    if (!this.#jumped.has(seen.host)) return undefined;
    return `${seen.host.name} ${seen.kind}s ${seen.shard.pack.slice(0, 8)} after its clock has jumped`;
  }
}
