import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PolicyVersion } from '../../agent/policy-types.ts';
import { formatSpan } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { PolicyDocument, StandbyRule } from '../../core/policy/policy-document.ts';
import { durationText } from '../../core/policy/policy-quantity.ts';
import { encodePolicy } from '../../core/policy/policy-text.ts';
import type { Register } from '../action.ts';
import { countArgument, durationArgument } from '../arguments.ts';
import { message } from '../json-fields.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

/** A standby site for a dataset, and the hash of the plan that restores it there; site undefined: no rule more. */
type Standby = { dataset: string; site?: string; plan?: string };

type SetFlags = OperatorFlags & {
  surviveSites?: number;
  failover?: 'alert' | 'repair' | 'restore';
  siteLostAfter?: number;
  decreeNotice?: number;
  standby?: Standby[];
};

/** policy show, policy set. */
export function addPolicy(program: Command, register: Register): void {
  const policy = program
    .command('policy')
    .description('Show and set what the cluster promises, and what it does by itself.');
  register(policy.command('show').description('Show the policy in force.'), show);
  const setCommand = policy
    .command('set')
    .description('Change the policy; what is not named stays. Operators sign it.')
    .option('--survive-sites <n>', 'how many sites may be lost', countArgument)
    .addOption(
      new Option('--failover <action>', 'what happens when a site is lost').choices([
        'alert',
        'repair',
        'restore',
      ]),
    )
    .option('--site-lost-after <duration>', 'silence that makes a site lost', durationArgument)
    .option('--decree-notice <duration>', 'how long a decree waits', durationArgument)
    .option(
      '--standby <dataset=site:planhash>',
      'restore this dataset there with this plan; DATASET= takes the rule away; repeatable',
      standbyArgument,
    );
  register<SetFlags>(operatorOptions(setCommand), (context, { options }) => set(context, options));
}

function standbyArgument(value: string, before: readonly Standby[] | undefined): Standby[] {
  const match = /^([^=]+)=(?:([a-z0-9][a-z0-9._-]*)(?::([0-9a-f]{64}))?)?$/.exec(value);
  const [, dataset, site, plan] = match ?? [];
  if (dataset === undefined) {
    throw new InvalidArgumentError('Give DATASET=SITE:PLANHASH, DATASET=SITE, or DATASET=.');
  }
  const standby = {
    dataset,
    ...(site === undefined ? {} : { site }),
    ...(plan === undefined ? {} : { plan }),
  };
  return [...(before ?? []), standby];
}

async function show(context: CliContext): Promise<void> {
  const { output } = context;
  const report = await context.backend.control(context.stateDir).policy();
  if (output.isJson) return output.json(message('policy', report));
  await output.print(...policyLines(report));
}

function policyLines({
  version,
  surviveSites,
  failover,
  decreeNoticeMs,
  destructiveDelayMs,
  authors,
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
    ...failover.rules.map(({ dataset, standbySite, plan }) => {
      const how = plan === undefined ? 'no plan yet' : `plan ${plan.slice(0, 12)}`;
      return `  standby          ${clean(dataset)} at ${clean(standbySite)}: ${how}`;
    }),
  ];
}

async function set(context: CliContext, flags: SetFlags): Promise<void> {
  const { output, stateFlag } = context;
  const agent = context.backend.control(context.stateDir);
  const before = await agent.policy();
  const document = encoded(await changed(context, before.document, flags));
  const policy = { kind: 'policy', version: before.version + 1, base: before.version } as const;
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
  if (!output.isJson) await show(context);
}

async function changed(
  context: CliContext,
  before: PolicyDocument,
  flags: SetFlags,
): Promise<PolicyDocument> {
  const { surviveSites, failover, siteLostAfter, decreeNotice, standby } = flags;
  const wishes = [surviveSites, failover, siteLostAfter, decreeNotice, standby];
  if (wishes.every((wish) => wish === undefined)) {
    throw new HoldfastError('usage', 'name what to change', { next: 'holdfast policy set --help' });
  }
  const rules = before.failover?.standby ?? [];
  return {
    ...before,
    ...(surviveSites === undefined ? {} : { survive: { sites: surviveSites } }),
    ...(siteLostAfter === undefined ? {} : { siteLostAfter: wholeSeconds(siteLostAfter) }),
    ...(decreeNotice === undefined ? {} : { decreeNotice: wholeSeconds(decreeNotice) }),
    failover: {
      ...before.failover,
      ...(failover === undefined ? {} : { action: failover }),
      ...(standby === undefined ? {} : { standby: await withStandby(context, rules, standby) }),
    },
  };
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

function wholeSeconds(ms: number): string {
  const text = durationText(ms);
  if (text !== undefined) return text;
  throw new HoldfastError('usage', 'a policy counts in whole seconds');
}

async function withStandby(
  context: CliContext,
  rules: readonly StandbyRule[],
  standby: readonly Standby[],
): Promise<StandbyRule[]> {
  const datasets = await context.backend.control(context.stateDir).datasets();
  let next = [...rules];
  for (const { dataset: name, site, plan } of standby) {
    const found = datasets.filter((one) => one.name === name || one.id === name);
    const dataset = found[0]?.id;
    if (dataset === undefined || found.length > 1) {
      const what = dataset === undefined ? 'there is no dataset' : 'several datasets are called';
      throw new HoldfastError('not-found', `${what} ${JSON.stringify(name)}`, {
        next: `holdfast dataset list${context.stateFlag}`,
      });
    }
    next = next.filter((rule) => rule.dataset !== dataset);
    if (site !== undefined) next.push({ dataset, site, ...(plan === undefined ? {} : { plan }) });
  }
  return next;
}
