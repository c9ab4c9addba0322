import { assertNever } from '../../../base/assert.ts';
import type { BodyOf, ControlBody, ControlCommand } from '../../format/control-records.ts';
import type { ControlState } from './control-state.ts';
import { logTimed } from './escrow-book.ts';
import type { Change, CommandPlace } from './refusal.ts';

const operatorsKinds = [
  'layout',
  'policy',
  'plan',
  'isolate',
  'reinstate',
  'operators',
  'roles',
  'expel',
  'invite',
  'format',
  'keys',
  'key-destroy',
  'split',
  'release',
  'forget',
  'unlock',
  'decree',
] as const;

export type OperatorsBody = BodyOf<(typeof operatorsKinds)[number]>;

/** True for what needs the signatures of the operators' threshold. */
export function isOperatorsBody(body: ControlBody): body is OperatorsBody {
  return (operatorsKinds as readonly string[]).includes(body.kind);
}

/** True for what operators can also sign one after the other. */
export function mayBeProposed(body: ControlBody): boolean {
  return body.kind === 'grant' || needsThreshold(body);
}

/** True for what the operators' threshold signs in the log. A decree has its own document. */
export function needsThreshold(body: ControlBody): boolean {
  if (body.kind === 'plan-decision') return body.decision === 'roll-back';
  return isOperatorsBody(body) && body.kind !== 'decree';
}

/** What it does, once the operators' threshold has signed it. @throws HoldfastError not-permitted | bad-encoding */
export function operatorsChange(
  state: ControlState,
  { id, body }: { readonly id: ControlCommand['id']; readonly body: OperatorsBody },
  place: CommandPlace,
): Change {
  const authors = state.operators.among(place.signers);
  switch (body.kind) {
    case 'layout':
      return state.layout.check(body, authors, { place, members: state.members });
    case 'policy':
      return state.policy.check(body, authors, place);
    case 'plan': {
      const plan = state.plans.read(body);
      const begin = state.plans.checkPlan(body, plan, { place, authors, id });
      const register = state.incarnations.checkDatasets(plan.datasets, place);
      return () => {
        begin();
        register();
      };
    }
    case 'isolate':
      return state.incarnations.checkIsolate(body);
    case 'reinstate':
      return state.incarnations.checkReinstate(body, place);
    case 'operators':
      return state.operators.check(body, state.members, place);
    case 'roles':
      return state.members.checkRoles(body, authors, place);
    case 'expel':
      return state.members.checkExpel(body, authors, place);
    case 'invite':
      return state.members.checkProposedInvite(body, place);
    case 'format':
      return state.format.check(body);
    case 'keys':
      return state.keys.checkKeys(body, { ...place, authors });
    case 'key-destroy':
      state.holds.requireNone(body);
      return state.keys.checkDestroy(body, { ...place, authors });
    case 'split':
      return state.escrow.checkSplit(body, state.keys.kit.version, logTimed(state, place));
    case 'release':
      return state.holds.checkRelease(body);
    case 'forget':
      return state.fates.checkForget(body);
    case 'unlock':
      return state.fates.checkUnlock(body);
    case 'decree':
      return state.decrees.check(id, state.position.commandCount === 0);
    default:
      return assertNever(body);
  }
}
