import { assertNever } from '../../../base/assert.ts';
import type {
  BodyOf,
  ControlBody,
  ControlCommand,
  RestoreBody,
} from '../../format/control-records.ts';
import type { DatasetId } from '../../ids.ts';
import { isReady } from '../../policy/plan-graph.ts';
import type { ControlState } from './control-state.ts';
import { isRestoreBody } from '../../format/control-restore.ts';
import { isDestructive } from './destructive.ts';
import { objectionTo, timeObjection } from './grant-approval.ts';
import { type KeepingBody, keepingChange } from './keeping-change.ts';
import {
  isOperatorsBody,
  needsThreshold,
  type OperatorsBody,
  operatorsChange,
} from './operators-change.ts';
import { isWorker, stepOf } from './plan-run.ts';
import {
  approveChange,
  denyChange,
  proposeChange,
  vetoChange,
  waitingChange,
} from './proposal-change.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import { restoreGrantChange } from './restore-grant-change.ts';

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
  if (isOperatorsBody(body)) {
    const objection = state.authority.objection(body, place.signers);
    if (objection !== undefined) throw refusal(objection);
    const isHeld = !place.isRipe && isDestructive(state, body);
    if (isHeld && state.policy.current.destructiveDelayMs > 0) {
      return waitingChange(state, command, place);
    }
    return operatorsChange(state, { ...command, body }, place);
  }
  if (isRestoreBody(body)) return restoreGrantChange(state, { ...command, body }, place);
  switch (body.kind) {
    case 'grant':
      requireGrantApproval(state, body, place);
      if (state.members.of(body.agent) === undefined) throw refusal('the agent is no member');
      return state.plans.checkGrant(body, place, state.time);
    case 'plan-decision':
      if (needsThreshold(body)) state.authority.requireOperators(place.signers);
      else state.authority.requireOperator(place.signers);
      return decisionChange(state, body);
    case 'abandon':
      state.authority.requireOperator(place.signers);
      return abandonChange(state, body, place);
    case 'clear-suspect': {
      const authors = state.authority.requireOperator(place.signers);
      return state.cleared.check(body, authors, place);
    }
    case 'drain':
      state.authority.requireOperator(place.signers);
      return state.drains.check(body, state.members);
    case 'vouch':
      state.authority.requireVoter(place.signers);
      return state.vouches.check(body, place);
    case 'share-proof':
      return state.escrow.checkProof(body, place, state);
    case 'admit':
      state.authority.requireVoter(place.signers);
      return state.members.checkAdmit(body, state.operators.current, place);
    case 'propose':
      return proposeChange(state, body, place);
    case 'approve':
      return approveChange(state, body, place);
    case 'deny':
      return denyChange(state, body, place);
    case 'veto':
      return vetoChange(state, body, place);
    case 'thaw':
    case 'hold':
    case 'undelete':
    case 'expire':
    case 'confirm-expiry':
    case 'quarantine':
    case 'clear-quarantine':
      return keepingChange(state, { ...command, body }, place);
    default:
      return agentChange(state, body, place);
  }
}

function requireGrantApproval(
  state: ControlState,
  body: BodyOf<'grant'>,
  { signers }: CommandPlace,
): void {
  const objection = objectionTo(state, body, signers);
  if (objection !== undefined) throw refusal(objection);
  const { plan } = state.plans.runOf(body)?.record ?? {};
  const names = (plan?.datasets ?? []).map(({ name }) => name);
  const tooLong = timeObjection(state, names, body.lastsMs);
  if (tooLong !== undefined) throw refusal(tooLong);
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
  | OperatorsBody
  | BodyOf<
      | 'grant'
      | 'plan-decision'
      | 'admit'
      | 'vouch'
      | 'abandon'
      | 'clear-suspect'
      | 'share-proof'
      | 'drain'
    >
  | KeepingBody
  | RestoreBody
  | BodyOf<'propose' | 'approve' | 'deny' | 'veto'>
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
    case 'lease':
      return state.leases.checkRenewal(body, {
        signer: authority.requireMember(place.signers).agent,
        policyMs: leaseMsOf(state, body.dataset),
        place,
      });
    case 'lease-lapse': {
      const { agent } = authority.requireVoter(place.signers);
      return state.leases.checkLapse(body, agent, config.voters);
    }
    case 'anchor':
      authority.requireVoter(place.signers);
      return state.anchors.check(body, members, place);
    case 'site-report': {
      const reporter = authority.requireMember(place.signers);
      return state.sites.check(body, reporter, { place, members, voters: config.voters });
    }
    case 'drill':
      return state.drills.check(body, authority.requireMember(place.signers).agent, {
        sinceMs: state.time.nowMs,
      });
    case 'time': {
      const say = state.time.check(body, authority.requireVoter(place.signers).agent, place);
      return () => {
        say();
        state.fates.timePassed(place);
      };
    }
    default:
      return assertNever(body);
  }
}

/** What the policy gives a dataset: the lease of its standby rule. */
function leaseMsOf({ policy }: ControlState, dataset: DatasetId): number | undefined {
  return policy.current.failover.rules.find((rule) => rule.dataset === dataset)?.leaseMs;
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
  const open = incarnations.checkPromote(body, {
    ...{ generation, index, voters: config.voters },
    from: { writer: dataset.writer, sequence: dataset.sequence },
  });
  return () => {
    open();
    plans.beginPromotion(body, { worker: body.target, index, timeMs });
  };
}
