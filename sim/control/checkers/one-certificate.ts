import type { ControlChecker, ControlSeen } from '../observation.ts';

/** No slot is ever decided for two agents, whichever log one reads: voters give one word each. */
export class OneCertificate implements ControlChecker {
  readonly name = 'one-certificate';
  readonly #decided = new Map<string, string>();

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'state') return undefined;
    for (const { dataset, certificate } of seen.control.state.incarnations.all()) {
      if (certificate === undefined) continue;
      const { generation, incarnation, target } = certificate;
      const key = `${generation}-${dataset}-${incarnation}`;
      const known = this.#decided.get(key) ?? target;
      this.#decided.set(key, known);
      if (known !== target) return `two certificates for slot ${key}`;
    }
    return undefined;
  }
}
