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

/** How long a copy may run unheard; undefined: silence proves nothing. */
type Lease = { dataset: string; ms?: number };

type SetFlags = OperatorFlags & {
  surviveSites?: number;
  failover?: 'alert' | 'repair' | 'restore';
  siteLostAfter?: number;
  decreeNotice?: number;
  destructiveDelay?: string;
  standby?: Standby[];
  lease?: Lease[];
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
    )
    .option(
      '--lease <dataset=duration>',
      'so long after it was last heard of, the live copy has stopped itself: see docs/control.md; DATASET= ends it; repeatable',
      leaseArgument,
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

function leaseArgument(value: string, before: readonly Lease[] | undefined): Lease[] {
  const at = value.lastIndexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give DATASET=DURATION, as web=2m, or DATASET=.');
  const [dataset, span] = [value.slice(0, at), value.slice(at + 1)];
  const lease = { dataset, ...(span === '' ? {} : { ms: durationArgument(span) }) };
  return [...(before ?? []), lease];
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
  const { surviveSites, failover, siteLostAfter, decreeNotice, destructiveDelay } = flags;
  const { standby = [], lease = [] } = flags;
  const wishes = [surviveSites, failover, siteLostAfter, decreeNotice, destructiveDelay];
  const isRuled = standby.length + lease.length > 0;
  if (!isRuled && wishes.every((wish) => wish === undefined)) {
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
      ...(isRuled ? { standby: await withRules(context, rules, { standby, lease }) } : {}),
    },
  };
}

function wholeSeconds(ms: number): string {
  const text = durationText(ms);
  if (text !== undefined) return text;
  throw new HoldfastError('usage', 'a policy counts in whole seconds');
}

async function withRules(
  context: CliContext,
  rules: readonly StandbyRule[],
  { standby, lease }: { standby: readonly Standby[]; lease: readonly Lease[] },
): Promise<StandbyRule[]> {
  const idOf = await datasetNames(context);
  let next = [...rules];
  for (const { dataset: name, site, plan } of standby) {
    const dataset = idOf(name);
    const before = next.find((rule) => rule.dataset === dataset);
    next = next.filter((rule) => rule !== before);
    const kept = before?.lease === undefined ? {} : { lease: before.lease };
    const rule = { dataset, ...kept, ...(plan === undefined ? {} : { plan }) };
    if (site !== undefined) next.push({ ...rule, site });
  }
  for (const { dataset: name, ms } of lease) {
    const dataset = idOf(name);
    const before = next.find((rule) => rule.dataset === dataset);
    if (before === undefined) {
      throw new HoldfastError('usage', `no rule says where ${JSON.stringify(name)} goes`, {
        next: `holdfast policy set --standby ${name}=SITE:PLANHASH --lease ${name}=2m`,
      });
    }
    const { lease: _, ...rest } = before;
    const rule = ms === undefined ? rest : { ...rest, lease: wholeSeconds(ms) };
    next = next.map((one) => (one === before ? rule : one));
  }
  return next;
}

/** @returns what finds the id of a name or an id. */
async function datasetNames(context: CliContext): Promise<(name: string) => string> {
  const datasets = await context.backend.control(context.stateDir).datasets();
  return (name) => {
    const found = datasets.filter((one) => one.name === name || one.id === name);
    const dataset = found[0]?.id;
    if (dataset !== undefined && found.length === 1) return dataset;
    const what = dataset === undefined ? 'there is no dataset' : 'several datasets are called';
    throw new HoldfastError('not-found', `${what} ${JSON.stringify(name)}`, {
      next: `holdfast dataset list${context.stateFlag}`,
    });
  };
}
