import type { PolicyReport, PolicyVersion } from '../agent/policy-types.ts';
import { formatSpan } from '../base/quantity.ts';
import { HoldfastError } from '../core/errors.ts';
import type { PolicyDocument } from '../core/policy/policy-document.ts';
import { hotObjections } from '../core/policy/hot-copy.ts';
import { termsOf } from '../core/policy/policy-terms.ts';
import { encodePolicy } from '../core/policy/policy-text.ts';
import { message } from './json-fields.ts';
import { type OperatorFlags, printApplied, submitAsOperator } from './operator.ts';
import { clean } from './terminal-text.ts';
import type { CliContext } from './world.ts';

/** Has operators sign this document in the place of the one before, and shows what holds then. */
export async function submitPolicy(
  context: CliContext,
  flags: OperatorFlags,
  before: PolicyReport,
  wanted: PolicyDocument,
): Promise<void> {
  const { output, stateFlag } = context;
  const document = encoded(wanted);
  await refuseAbsentSites(context, before.document, wanted);
  const policy = { kind: 'policy', version: before.version + 1, base: before.version } as const;
  const agent = context.backend.control(context.stateDir);
  try {
    const report = await submitAsOperator(context, flags, { ...policy, document });
    await printApplied(context, report, { version: policy.version });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'not-permitted') throw error;
    const { version: current } = await agent.policy();
    if (current === policy.base) throw error;
    throw new HoldfastError('failed', `somebody else has just set version ${current}`, {
      next: `look at it, then set again: holdfast policy show${stateFlag}`,
      details: { current },
      cause: error,
    });
  }
  if (!output.isJson) await showPolicy(context);
}

/**
 * Sites of full copies may be mistyped, or out of the rule's own regions. Rules that stand as they were pass: who
 * changes another one must not have to mend them first. @throws HoldfastError usage
 */
async function refuseAbsentSites(
  { backend, stateDir, stateFlag }: CliContext,
  before: PolicyDocument,
  wanted: PolicyDocument,
): Promise<void> {
  const known = new Set((before.datasets ?? []).map((rule) => JSON.stringify(rule)));
  const isNew = (wanted.datasets ?? []).map((rule) => !known.has(JSON.stringify(rule)));
  const { rules } = termsOf(wanted, 0);
  if (!rules.some((rule, i) => isNew[i] === true && rule.tiers?.hot !== undefined)) return;
  const members = (await backend.control(stateDir).peers()).map(({ site, region, roles }) => ({
    ...{ site, region },
    hasStorage: roles.includes('storage'),
  }));
  const [objection] = rules.flatMap((rule, i) =>
    isNew[i] === true ? hotObjections(rule, members).map((text) => `datasets[${i}].${text}`) : [],
  );
  if (objection === undefined) return;
  throw new HoldfastError('usage', objection, { next: `holdfast peer list${stateFlag}` });
}

/** What holds now. */
export async function showPolicy(context: CliContext): Promise<void> {
  const { output } = context;
  const report = await context.backend.control(context.stateDir).policy();
  if (output.isJson) return output.json(message('policy', withoutEvidence(report)));
  await output.print(...policyLines(report));
}

/** Envelopes are for those who verify: see policy log. */
function withoutEvidence({ evidence: _, authorKeys: __, ...report }: PolicyReport): object {
  const history = report.history.map(({ evidence: _e, authorKeys: _k, ...one }) => one);
  return { ...report, history };
}

/** What is wrong was typed so. @throws HoldfastError usage */
function encoded(document: PolicyDocument): Uint8Array {
  try {
    return encodePolicy(document);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError('usage', error.message, { cause: error });
  }
}

function policyLines({
  version,
  surviveSites,
  failover,
  decreeNoticeMs,
  destructiveDelayMs,
  authors,
  document,
}: PolicyVersion): string[] {
  const signed =
    authors.length === 0 ? 'as the cluster was made' : `signed by ${authors.join(', ')}`;
  const action = {
    alert: 'say so, and do nothing',
    repair: 'say so, and ask for repair',
    restore: 'start the plans of the rules below',
  }[failover.action];
  return [
    `Policy version ${version}, ${clean(signed)}.`,
    `  survive sites    ${surviveSites}`,
    `  site lost after  ${formatSpan(failover.siteLostAfterMs)} of silence, as a majority of the voters sees it`,
    `  failover         ${failover.action}: ${action}`,
    `  decree notice    ${formatSpan(decreeNoticeMs)}`,
    `  destructive      ${formatSpan(destructiveDelayMs)} of waiting, in which an auditor may stop it`,
    ...failover.rules.map(({ dataset, standbySite, plan, leaseMs }) => {
      const how = plan === undefined ? 'no plan yet' : `plan ${plan.slice(0, 12)}`;
      const lease = leaseMs === undefined ? '' : `, lease ${formatSpan(leaseMs)}`;
      return `  standby          ${clean(dataset)} at ${clean(standbySite)}: ${how}${lease}`;
    }),
    ...(['expiry', 'reads'] as const).flatMap((key) => {
      const rule = document[key];
      return rule === undefined ? [] : [`  ${key.padEnd(16)} ${clean(ruleWords(rule))}`];
    }),
    ...(document.writers ?? []).map(
      ({ match, ...rule }) => `  ${clean(`writers ${match}`).padEnd(16)} ${clean(ruleWords(rule))}`,
    ),
    ...(document.datasets ?? []).map(
      ({ match, ...rule }) =>
        `  ${clean(`datasets ${match}`).padEnd(16)} ${clean(ruleWords(rule))}`,
    ),
  ];
}

/** A rule as `key value` pairs: `lock.mode governance, lock.for 30d`. */
function ruleWords(rule: object): string {
  const pairs = leavesOf(rule).map(([key, value]) => `${key} ${value}`);
  return pairs.length === 0 ? 'nothing is asked for' : pairs.join(', ');
}

/** Every value of a document with its path, in the document's order. */
export function leavesOf(value: unknown, path = ''): [string, string][] {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) {
    return [[path, value.join(' ')]];
  }
  if (typeof value !== 'object' || value === null) return [[path, String(value)]];
  const isList = Array.isArray(value);
  return Object.entries(value).flatMap(([key, one]) => {
    const name = isList ? `[${key}]` : path === '' ? key : `.${key}`;
    return leavesOf(one, path + name);
  });
}
