import type { DatasetId } from '../core/ids.ts';
import type { TripwireRule } from '../core/policy/policy-document.ts';
import type { Ledger } from '../services/ledger.ts';
import type { ControlPlane } from './control-plane.ts';

/** What the policy says of a dataset's tripwires: by its first name, since a source may say another any day. */
export function tripwiresOf(
  { ledger, control }: { readonly ledger: Ledger; readonly control: ControlPlane },
  dataset: DatasetId,
): TripwireRule {
  const known = ledger.roster.datasets().find(({ id }) => id === dataset);
  return control.log.state.policy.ruleFor(known?.ruleName ?? '').tripwire ?? {};
}

/** Absolute paths of a dataset's canary files. */
export function canariesOf(control: ControlPlane, name: string): Uint8Array[] {
  const { tripwire } = control.log.state.policy.ruleFor(name);
  return (tripwire?.canaries ?? []).map((path) => new TextEncoder().encode(path));
}
