import { formatSpan } from '../../../base/quantity.ts';
import type { ControlBody, RunGrant } from '../../format/control-records.ts';
import type { Operator } from '../../format/records.ts';
import type { AgentKey } from '../../ids.ts';
import type { ControlState } from './control-state.ts';

/**
 * Which signatures a command that operators sign still lacks, by the threshold or by what the policy asks for;
 * undefined: none.
 */
export function objectionTo(
  state: ControlState,
  body: ControlBody,
  signers: ReadonlySet<string>,
): string | undefined {
  if (body.kind === 'grant') return grantObjection(state, body, signers);
  if (body.kind === 'restore-request') return restoreObjection(state, body.name, signers);
  return state.authority.objection(body, signers);
}

/**
 * Who must approve that data is opened somewhere is said by the policy, for each dataset that the plan restores;
 * one operator where it says nothing.
 */
function grantObjection(
  state: ControlState,
  grant: RunGrant,
  signers: ReadonlySet<string>,
): string | undefined {
  const { operators } = state.operators.current;
  if (!operators.some(({ key }) => signers.has(key))) return 'an operator must sign this';
  const { plan } = state.plans.runOf(grant)?.record ?? {};
  for (const { name } of plan?.datasets ?? []) {
    const objection = datasetObjection(state, name, signers);
    if (objection !== undefined) return objection;
  }
  return undefined;
}

/** Nothing is resealed without one operator at least, whatever the policy says. */
function restoreObjection(
  state: ControlState,
  name: string,
  signers: ReadonlySet<string>,
): string | undefined {
  const { operators } = state.operators.current;
  if (!operators.some(({ key }) => signers.has(key))) return 'an operator must sign this';
  return datasetObjection(state, name, signers);
}

function datasetObjection(
  state: ControlState,
  name: string,
  signers: ReadonlySet<string>,
): string | undefined {
  const { approvals = 1, by } = state.policy.ruleFor(name).restore ?? {};
  const found = approversOf(state, name).filter(({ key }) => signers.has(key)).length;
  if (found >= approvals) return undefined;
  const who = by === undefined ? 'the operators' : by.join(', ');
  return `${approvals} of ${who} must approve a restore of dataset ${name}, ${found} did`;
}

/** Those of the signers whose word counts for a command: a dataset's rule may name who may approve. */
export function countingFor(
  state: ControlState,
  body: ControlBody,
  signers: readonly AgentKey[],
): AgentKey[] {
  const { operators } = state.operators.current;
  const more = body.kind === 'operators' ? body.operators : [];
  const counting =
    body.kind === 'restore-request' ? approversOf(state, body.name) : [...operators, ...more];
  return signers.filter((one) => counting.some(({ key }) => key === one));
}

/** The operators whose word counts for a restore of datasets of this name. */
function approversOf(state: ControlState, name: string): readonly Operator[] {
  const { by } = state.policy.ruleFor(name).restore ?? {};
  const { operators } = state.operators.current;
  return operators.filter((one) => by === undefined || by.includes(one.name));
}

/** Why a grant may not last as long as it shall, by the policy; undefined: it may. */
export function timeObjection(
  state: ControlState,
  names: readonly string[],
  lastsMs: number,
): string | undefined {
  for (const name of names) {
    const { expiresMs } = state.policy.ruleFor(name).restore ?? {};
    if (expiresMs === undefined || lastsMs <= expiresMs) continue;
    return `the policy lets grants of dataset ${name} last ${formatSpan(expiresMs)} at most`;
  }
  return undefined;
}

/** Whether the operators who are left can still give a command its signatures. */
export function canBeCompleted(
  state: ControlState,
  body: ControlBody,
  denials: ReadonlySet<string>,
): boolean {
  const { operators, threshold } = state.operators.current;
  if (body.kind === 'restore-request') {
    const left = approversOf(state, body.name).filter(({ key }) => !denials.has(key));
    return left.length >= signaturesNeeded(state, body);
  }
  return operators.filter(({ key }) => !denials.has(key)).length >= threshold;
}

/** How many operators must sign a command. */
export function signaturesNeeded(state: ControlState, body: ControlBody): number {
  if (body.kind === 'restore-request') {
    return Math.max(1, state.policy.ruleFor(body.name).restore?.approvals ?? 1);
  }
  if (body.kind !== 'grant') return state.operators.current.threshold;
  const { plan } = state.plans.runOf(body)?.record ?? {};
  const rules = (plan?.datasets ?? []).map(({ name }) => state.policy.ruleFor(name).restore);
  return Math.max(1, ...rules.map((rule) => rule?.approvals ?? 1));
}
