import { type Command, InvalidArgumentError, Option } from 'commander';
import { HoldfastError } from '../../core/errors.ts';
import type { PolicyDocument, StandbyRule } from '../../core/policy/policy-document.ts';
import { durationText } from '../../core/policy/policy-quantity.ts';
import type { Register } from '../action.ts';
import { countArgument, durationArgument } from '../arguments.ts';
import { type OperatorFlags, operatorOptions } from '../operator.ts';
import { submitPolicy } from '../policy-submit.ts';
import type { CliContext } from '../world.ts';

/** A standby site for a dataset, and the hash of the plan that restores it there; site undefined: no rule more. */
type Standby = { dataset: string; site?: string; plan?: string };

type SetFlags = OperatorFlags & {
  surviveSites?: number;
  failover?: 'alert' | 'repair' | 'restore';
  siteLostAfter?: number;
  decreeNotice?: number;
  destructiveDelay?: string;
  standby?: Standby[];
};

/** policy set: edits the document in force. */
export function addPolicySet(policy: Command, register: Register): void {
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
    .option('--destructive-delay <duration>', 'how long what cannot be taken back waits: 72h, 0s')
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

async function set(context: CliContext, flags: SetFlags): Promise<void> {
  const before = await context.backend.control(context.stateDir).policy();
  await submitPolicy(context, flags, before, await changed(context, before.document, flags));
}

async function changed(
  context: CliContext,
  before: PolicyDocument,
  flags: SetFlags,
): Promise<PolicyDocument> {
  const { surviveSites, failover, siteLostAfter, decreeNotice, destructiveDelay, standby } = flags;
  const wishes = [surviveSites, failover, siteLostAfter, decreeNotice, destructiveDelay, standby];
  if (wishes.every((wish) => wish === undefined)) {
    throw new HoldfastError('usage', 'name what to change', { next: 'holdfast policy set --help' });
  }
  const rules = before.failover?.standby ?? [];
  return {
    ...before,
    ...(surviveSites === undefined ? {} : { survive: { sites: surviveSites } }),
    ...(siteLostAfter === undefined ? {} : { siteLostAfter: wholeSeconds(siteLostAfter) }),
    ...(decreeNotice === undefined ? {} : { decreeNotice: wholeSeconds(decreeNotice) }),
    ...(destructiveDelay === undefined ? {} : { destructiveDelay }),
    failover: {
      ...before.failover,
      ...(failover === undefined ? {} : { action: failover }),
      ...(standby === undefined ? {} : { standby: await withStandby(context, rules, standby) }),
    },
  };
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
