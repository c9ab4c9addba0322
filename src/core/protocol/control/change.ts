import { assertNever } from '../../../base/assert.ts';
import type { BodyOf, ControlBody, ControlCommand } from '../../format/control-records.ts';
import { isReady } from '../../policy/plan-graph.ts';
import type { ControlState } from './control-state.ts';
import { isWorker, stepOf } from './plan-run.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

/**
 * What a command does to the state, once its signers and everything that it names have been checked. Nothing
 * has changed until the result is called, and nothing may be applied in between.
 * @throws HoldfastError not-permitted | equivocation | bad-encoding (the entry is void)
 */
export function changeOf(
  state: ControlState,
  command: ControlCommand,
  place: CommandPlace,
): Change {
  const { body } = command;
  switch (body.kind) {
    case 'layout':
    case 'policy':
    case 'plan':
    case 'isolate':
    case 'reinstate':
    case 'decree':
      return operatorsChange(state, { ...command, body }, place);
    case 'grant':
      state.authority.requireOperator(place.signers);
      if (state.members.of(body.agent) === undefined) throw refusal('the agent is no member');
      return state.plans.checkGrant(body, place);
    case 'plan-decision':
      if (body.decision === 'roll-back') state.authority.requireOperators(place.signers);
      else state.authority.requireOperator(place.signers);
      return decisionChange(state, body);
    case 'abandon':
      state.authority.requireOperator(place.signers);
      return abandonChange(state, body, place);
    case 'clear-suspect': {
      const authors = state.authority.requireOperator(place.signers);
      return state.cleared.check(body, authors, place);
    }
    case 'admit':
      state.authority.requireVoter(place.signers);
      return state.members.checkAdmit(body, place);
    case 'assign':
    case 'mark':
    case 'promote':
    case 'fence-vote':
    case 'demote':
    case 'anchor':
    case 'site-report':
    case 'time':
      return agentChange(state, body, place);
    default:
      return assertNever(body);
  }
}

type OperatorsBody = BodyOf<'layout' | 'policy' | 'plan' | 'isolate' | 'reinstate' | 'decree'>;

/** Commands that need the operators' threshold. */
function operatorsChange(
  state: ControlState,
  { id, body }: { readonly id: ControlCommand['id']; readonly body: OperatorsBody },
  place: CommandPlace,
): Change {
  const authors = state.authority.requireOperators(place.signers);
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
    case 'decree':
      return state.decrees.check(id, state.position.commandCount === 0);
    default:
      return assertNever(body);
  }
}

function decisionChange(state: ControlState, body: BodyOf<'plan-decision'>): Change {
  const { incarnations, plans } = state;
  const decide = plans.checkDecision(body, (step) => incarnations.mayBePromoted(step));
  if (body.decision !== 'cancel') return decide;
  return () => {
    decide();
    // Nobody waits for it any more: a copy must not go live that nobody looks at.
    incarnations.giveUpFor(body);
  };
}

/** The plan that has asked for the promotion stops: trying again at once is what the operator does not want. */
function abandonChange(
  state: ControlState,
  body: BodyOf<'abandon'>,
  { index, timeMs }: CommandPlace,
): Change {
  const { slot, change } = state.incarnations.checkAbandon(body);
  const detail = `an operator gives incarnation ${body.incarnation} up: ${body.reason}`;
  return () => {
    change();
    state.plans.stopPromotion(slot, { index, timeMs, detail });
  };
}

type AgentBody = Exclude<
  ControlBody,
  OperatorsBody | BodyOf<'grant' | 'plan-decision' | 'admit' | 'abandon' | 'clear-suspect'>
>;

/** Commands that one agent signs alone. */
function agentChange(state: ControlState, body: AgentBody, place: CommandPlace): Change {
  const { authority, config, incarnations, members, plans } = state;
  switch (body.kind) {
    case 'assign':
      return plans.checkAssign(body, authority.requireVoter(place.signers), place);
    case 'mark': {
      const signer = authority.requireMember(place.signers);
      const isPromoted = incarnations.isPromoted(body);
      return plans.checkMark(body, { signer, worker: members.of(body.worker), place, isPromoted });
    }
    case 'promote':
      return promotionChange(state, body, place);
    case 'fence-vote': {
      // The slot knows its voters: by now the configuration may be another one.
      const { agent } = authority.requireMember(place.signers);
      return incarnations.checkVote(body, agent, place);
    }
    case 'demote':
      return incarnations.checkDemote(body, authority.requireMember(place.signers).agent);
    case 'anchor':
      authority.requireVoter(place.signers);
      return state.anchors.check(body.heads, members, place);
    case 'site-report': {
      const reporter = authority.requireMember(place.signers);
      return state.sites.check(body, reporter, { place, members, voters: config.voters });
    }
    case 'time':
      return state.time.check(body, authority.requireVoter(place.signers).agent, place);
    default:
      return assertNever(body);
  }
}

/** The plan says what may be promoted where and after what; the incarnation, whether it may be now. */
function promotionChange(
  state: ControlState,
  body: BodyOf<'promote'>,
  place: CommandPlace,
): Change {
  const { authority, config, incarnations, members, plans } = state;
  const { record, run } = plans.requireFence(body, body.fence);
  const { plan } = record;
  const signer = authority.requireMember(place.signers);
  if (signer.agent !== run.assignment?.coordinator) throw refusal('only the coordinator promotes');
  if (run.state !== 'running') throw refusal(`the run is ${run.state}`);
  const step = stepOf(plan, body.step);
  if (step?.kind !== 'promote') throw refusal(`"${body.step}" is no step that promotes`);
  const dataset = plan.datasets.find(({ name }) => name === step.dataset);
  if (dataset?.id !== body.dataset || dataset.name !== body.name) {
    throw refusal(`step "${step.id}" promotes another dataset`);
  }
  const target = members.of(body.target);
  if (target === undefined || !isWorker(plan, step, target)) {
    throw refusal(`step "${step.id}" promotes at another agent`);
  }
  const at = run.steps.get(step.id);
  if (at?.state !== 'waiting' && at?.state !== 'started' && at?.state !== 'failed') {
    throw refusal(`step "${step.id}" is ${at?.state}`);
  }
  if (!isReady(step, run.steps)) throw refusal(`step "${step.id}" waits for others`);
  const { generation, index, timeMs } = place;
  const open = incarnations.checkPromote(body, { generation, index, voters: config.voters });
  return () => {
    open();
    plans.beginPromotion(body, { worker: body.target, index, timeMs });
  };
}
