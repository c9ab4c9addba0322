import { dayMs, secondMs } from '../../base/units.ts';
import { isLabel } from '../format/field.ts';
import { isTag } from '../format/manifest.ts';
import { limits } from '../limits.ts';
import { type DrillKind, drillKinds } from './drill-report.ts';
import { PlanFields, textOf, wrongField } from './plan-field.ts';
import { hoursOf } from './load-window.ts';
import { probeFrom } from './plan-reader.ts';
import {
  type DrillRuleText,
  type ObjectivesText,
  type PolicyDocument,
  policyLimits,
  type StandbyRule,
  type WriterRuleText,
} from './policy-document.ts';
import { durationOf, sizeOf } from './policy-quantity.ts';

/**
 * The policy document in a parsed value, complete and consistent.
 * @throws HoldfastError bad-encoding; its message begins with the path of the field that is wrong
 */
export function policyDocumentFrom(value: unknown): PolicyDocument {
  const fields = new PlanFields(value, '', 'policy');
  const { delayMaxMs, noticeMaxMs, siteLostAfterMinMs } = policyLimits;
  const delay = { min: 0, max: delayMaxMs };
  const silence = { min: siteLostAfterMinMs, max: noticeMaxMs };
  const document: PolicyDocument = {
    ...fields.optional('survive', () => {
      const survive = fields.object('survive');
      const sites = survive.integer('sites', 0, limits.shardsMax - 1);
      return survive.endWith({ sites });
    }),
    ...fields.optional('siteLostAfter', (name) => durationIn(fields, name, silence)),
    ...fields.optional('failover', () => failoverFrom(fields.object('failover'))),
    ...fields.optional('decreeNotice', (name) =>
      durationIn(fields, name, { min: 0, max: noticeMaxMs }),
    ),
    ...fields.optional('destructiveDelay', (name) => durationIn(fields, name, delay)),
    ...fields.optional('expiry', () => {
      const expiry = fields.object('expiry');
      return expiry.endWith({
        ...expiry.optional('veto', (name) => durationIn(expiry, name, delay)),
        ...expiry.optional('trash', (name) => durationIn(expiry, name, delay)),
      });
    }),
    ...fields.optional('reads', () => {
      const reads = fields.object('reads');
      return reads.endWith({
        ...reads.optional('ungrantedPerDay', (name) => sizeIn(reads, name)),
        ...reads.optional('repairPerDay', (name) => sizeIn(reads, name)),
      });
    }),
    ...fields.optional('datasets', (name) =>
      fields.list(name, { min: 0, max: policyLimits.rulesMax }, ruleFrom),
    ),
    ...fields.optional('writers', (name) =>
      fields.list(name, { min: 0, max: policyLimits.rulesMax }, writerRuleFrom),
    ),
  };
  return fields.endWith(document);
}

type Rule = NonNullable<PolicyDocument['datasets']>[number];

function failoverFrom(fields: PlanFields): NonNullable<PolicyDocument['failover']> {
  return fields.endWith({
    ...fields.optional('action', (name) =>
      fields.word(name, ['alert', 'repair', 'restore'] as const),
    ),
    ...fields.optional('standby', (name) => {
      const rules = fields.list(name, { min: 0, max: policyLimits.standbyMax }, standbyFrom);
      requireUnique(rules, ({ dataset }) => dataset, `${fields.at(name)}: two rules of dataset`);
      return rules;
    }),
  });
}

const leaseBounds = { min: policyLimits.leaseMinMs, max: policyLimits.leaseMaxMs };

function standbyFrom(value: unknown, path: string): StandbyRule {
  const fields = new PlanFields(value, path);
  return fields.endWith({
    dataset: fields.hex('dataset', 16),
    site: fields.label('site'),
    ...fields.optional('plan', (name) => fields.hex(name, 32)),
    ...fields.optional('lease', (name) => durationIn(fields, name, leaseBounds)),
  });
}

function ruleFrom(value: unknown, path: string): Rule {
  const fields = new PlanFields(value, path);
  return fields.endWith({
    match: fields.text('match', policyLimits.patternLengthMax),
    ...fields.optional('retention', (name) => retentionFrom(fields.object(name))),
    ...fields.optional('lock', (name) => lockFrom(fields.object(name))),
    ...fields.optional('budget', (name) => budgetFrom(fields.object(name))),
    ...fields.optional('regions', (name) => textsIn(fields, name, isRegionPattern)),
    ...fields.optional('restore', (name) => restoreFrom(fields.object(name))),
    ...fields.optional('tripwire', (name) => tripwireFrom(fields.object(name))),
    ...fields.optional('objectives', (name) => objectivesFrom(fields.object(name))),
    ...fields.optional('drill', (name) => drillFrom(fields.object(name))),
    ...fields.optional('tiers', (name) => tiersFrom(fields.object(name))),
  });
}

const longSpan = { min: secondMs, max: policyLimits.spanMaxMs };

function retentionFrom(fields: PlanFields): NonNullable<Rule['retention']> {
  const count = (name: string): number => fields.integer(name, 0, policyLimits.keepMax);
  const retention = fields.endWith({
    ...fields.optional('keepLast', count),
    ...fields.optional('keepHourly', count),
    ...fields.optional('keepDaily', count),
    ...fields.optional('keepWeekly', count),
    ...fields.optional('keepMonthly', count),
    ...fields.optional('keepYearly', count),
    ...fields.optional('keepWithin', (name) => durationIn(fields, name, longSpan)),
    ...fields.optional('keepTags', (name) => textsIn(fields, name, isTag)),
  });
  const isSomeKept = Object.values(retention).some((kept) => kept !== 0);
  // Who wants to keep nothing has mistyped it.
  if (!isSomeKept) throw wrongField(fields.path, 'keeps nothing; leave it out to keep everything');
  return retention;
}

function lockFrom(fields: PlanFields): NonNullable<Rule['lock']> {
  const mode = fields.word('mode', ['governance', 'compliance', 'none'] as const);
  if (mode === 'none') return fields.endWith({ mode });
  return fields.endWith({ mode, for: durationIn(fields, 'for', longSpan) });
}

function budgetFrom(fields: PlanFields): NonNullable<Rule['budget']> {
  return fields.endWith({
    ...fields.optional('perDay', (name) => sizeIn(fields, name)),
    ...fields.optional('total', (name) => sizeIn(fields, name)),
    ...fields.optional('over', (name) => fields.word(name, ['refuse', 'quarantine'] as const)),
  });
}

function writerRuleFrom(value: unknown, path: string): WriterRuleText {
  const fields = new PlanFields(value, path);
  const budget = fields.object('budget');
  const { statementsPerDayMin: min, statementsPerDayMax: max } = policyLimits;
  return fields.endWith({
    match: fields.text('match', policyLimits.patternLengthMax),
    budget: budget.endWith({
      ...budget.optional('perDay', (name) => sizeIn(budget, name)),
      ...budget.optional('total', (name) => sizeIn(budget, name)),
      ...budget.optional('statementsPerDay', (name) => budget.integer(name, min, max)),
      ...budget.optional('statementBytesPerDay', (name) => sizeIn(budget, name)),
    }),
  });
}

function restoreFrom(fields: PlanFields): NonNullable<Rule['restore']> {
  return fields.endWith({
    ...fields.optional('approvals', (name) => fields.integer(name, 0, policyLimits.approvalsMax)),
    ...fields.optional('by', (name) => textsIn(fields, name, (text) => text.length <= 63)),
    ...fields.optional('expires', (name) =>
      durationIn(fields, name, { min: policyLimits.grantMinMs, max: policyLimits.grantMaxMs }),
    ),
  });
}

function tripwireFrom(fields: PlanFields): NonNullable<Rule['tripwire']> {
  const percent = (name: string): number => fields.integer(name, 1, 100);
  return fields.endWith({
    ...fields.optional('changedPercent', percent),
    ...fields.optional('deletedPercent', percent),
    ...fields.optional('entropyPercent', percent),
    ...fields.optional('canaries', (name) => textsIn(fields, name, (text) => text.startsWith('/'))),
  });
}

function objectivesFrom(fields: PlanFields): ObjectivesText {
  const span = (name: string): string => durationIn(fields, name, longSpan);
  return fields.endWith({
    ...fields.optional('rpo', span),
    ...fields.optional('rto', span),
    ...fields.optional('detect', span),
    ...fields.optional('contain', span),
  });
}

function drillFrom(fields: PlanFields): NonNullable<Rule['drill']> {
  const { checksMax } = policyLimits;
  return fields.endWith({
    ...fields.optional('every', (name) => durationIn(fields, name, longSpan)),
    ...fields.optional('sample', (name) => sizeIn(fields, name)),
    ...fields.optional('window', (name) => windowIn(fields, name)),
    ...fields.optional('checks', (name) =>
      fields.list(name, { min: 1, max: checksMax }, probeFrom),
    ),
    ...fields.optional('scenarios', (name) => scenariosFrom(fields.object(name))),
    ...fields.optional('commands', (name) => fields.word(name, ['run', 'skip'] as const)),
    ...fields.optional('agents', (name) => textsIn(fields, name, (text) => text.length <= 63)),
  });
}

function scenariosFrom(fields: PlanFields): NonNullable<DrillRuleText['scenarios']> {
  const scenarios: Partial<Record<DrillKind, ObjectivesText>> = {};
  for (const kind of drillKinds) {
    Object.assign(
      scenarios,
      fields.optional(kind, (name) => objectivesFrom(fields.object(name))),
    );
  }
  return fields.endWith(scenarios);
}

function tiersFrom(fields: PlanFields): NonNullable<Rule['tiers']> {
  return fields.endWith({
    ...fields.optional('cold', () => {
      const cold = fields.object('cold');
      return cold.endWith({ after: durationIn(cold, 'after', longSpan) });
    }),
    ...fields.optional('hot', () => {
      const hot = fields.object('hot');
      return hot.endWith({
        sites: textsIn(hot, 'sites', isLabel),
        ...hot.optional('for', (name) => durationIn(hot, name, longSpan)),
      });
    }),
  });
}

function windowIn(fields: PlanFields, name: string): string {
  const text = fields.text(name, 11);
  if (hoursOf(text) !== undefined) return text;
  throw wrongField(fields.at(name), 'must be two times of day, as "22:00-06:00" (UTC)');
}

function isRegionPattern(text: string): boolean {
  return /^[a-z0-9*?._-]{1,63}$/.test(text);
}

/** A list of different texts, at least one. */
function textsIn(fields: PlanFields, name: string, isRight: (text: string) => boolean): string[] {
  const texts = fields.list(name, { min: 1, max: policyLimits.listMax }, (value, path) => {
    const text = textOf(value, path, { min: 1, max: 4096 });
    if (!isRight(text)) throw wrongField(path, `${JSON.stringify(text)} does not have the form`);
    return text;
  });
  requireUnique(texts, (text) => text, `${fields.at(name)}: twice`);
  return texts;
}

function durationIn(
  fields: PlanFields,
  name: string,
  bounds: { readonly min: number; readonly max: number },
): string {
  const text = fields.text(name, 16);
  const ms = durationOf(text);
  if (ms === undefined) {
    throw wrongField(
      fields.at(name),
      'must be a whole number and one of s, m, h, d, w, y, as "72h"',
    );
  }
  if (ms >= bounds.min && ms <= bounds.max) return text;
  const [min, max] = [bounds.min / secondMs, Math.floor(bounds.max / dayMs)];
  throw wrongField(fields.at(name), `must be from ${min}s to ${max}d`);
}

function sizeIn(fields: PlanFields, name: string): string {
  const text = fields.text(name, 20);
  const size = sizeOf(text);
  if (size !== undefined && size > 0) return text;
  throw wrongField(
    fields.at(name),
    'must be a whole number and one of B, KiB, MiB, GiB, TiB, as "50GiB"',
  );
}

function requireUnique<Item>(items: readonly Item[], keyOf: (item: Item) => string, what: string) {
  const seen = new Set<string>();
  for (const item of items) {
    const key = keyOf(item);
    if (seen.has(key)) throw wrongField(what, JSON.stringify(key));
    seen.add(key);
  }
}
