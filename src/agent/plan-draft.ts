import { hourMs, minuteMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import type { AgentKey, DatasetId, StatementHash } from '../core/ids.ts';
import { planFrom } from '../core/policy/plan-reader.ts';
import type { PlanDataset, RestorePlan } from '../core/policy/restore-plan.ts';
import type { PlanDatasetDraft, PlanDraft } from './plan-types.ts';

/** A snapshot that a draft may mean. */
export type DraftSnapshot = { readonly snapshot: StatementHash; readonly sequence: number };

export type DraftDataset = {
  readonly name: string;
  readonly id: DatasetId;
  readonly writer: AgentKey;
  /** The newest that the control log has anchored. */
  readonly anchored: DraftSnapshot | undefined;
  readonly snapshots: readonly DraftSnapshot[];
};

/** What a draft is resolved against. */
export type DraftFacts = {
  readonly sites: readonly string[];
  readonly agents: readonly string[];
  /** By name, or the beginning of an id. @throws HoldfastError not-found | ambiguous */
  readonly dataset: (text: string) => DraftDataset;
  /** When and by whom, for people. */
  readonly created: string;
};

const defaultDirectory = '/srv/restored';
/** As long as a large restore may take before a person should look at it. */
const restoreTimeoutMs = 24 * hourMs;
const defaults: Readonly<Record<string, { timeoutMs: number; attempts: number }>> = {
  // The keys are granted once the plan is in the log: the first attempts may come before them.
  restore: { timeoutMs: restoreTimeoutMs, attempts: 5 },
  check: { timeoutMs: minuteMs, attempts: 5 },
  // What a hook does twice may do harm: whoever knows that it does not writes so into the plan.
  hook: { timeoutMs: 10 * minuteMs, attempts: 1 },
  promote: { timeoutMs: 10 * minuteMs, attempts: 3 },
};

/** The plan that a draft means. @throws HoldfastError usage | not-found | ambiguous | not-committed */
export function resolveDraft(draft: PlanDraft, facts: DraftFacts): RestorePlan {
  const { site } = draft.target;
  if (!facts.sites.includes(site)) throw unknownPlace('site', site, facts.sites);
  const datasets = draft.datasets.map((one) => planDataset(one, facts));
  const steps = draft.steps === undefined ? defaultSteps(draft, datasets) : draft.steps;
  const plan = {
    version: 1,
    name: draft.name ?? defaultName(datasets, site),
    target: { site },
    datasets,
    steps: steps.map(completed),
    onFailure: draft.onFailure ?? 'escalate',
    created: facts.created,
  };
  const read = readPlan(plan);
  const known = [...facts.sites, ...facts.agents];
  for (const { on } of read.steps) {
    if (on !== undefined && !known.includes(on)) throw unknownPlace('agent or site', on, known);
  }
  return read;
}

/** A complete plan. @throws HoldfastError usage, naming the field */
export function readPlan(value: unknown): RestorePlan {
  try {
    return planFrom(value);
  } catch (cause) {
    if (!(cause instanceof HoldfastError) || codeOf(cause) !== 'bad-encoding') throw cause;
    throw new HoldfastError('usage', `the plan is not right: ${cause.message}`, {
      next: 'holdfast restore plan --help',
      details: cause.details,
      cause,
    });
  }
}

function planDataset(draft: string | PlanDatasetDraft, facts: DraftFacts): PlanDataset {
  const {
    name,
    snapshot = 'latest',
    path = '',
  } = typeof draft === 'string' ? { name: draft } : draft;
  const dataset = facts.dataset(name);
  const { id, writer } = dataset;
  const chosen = snapshot === 'latest' ? anchoredOf(dataset) : snapshotOf(dataset, snapshot);
  return { name: dataset.name, id, writer, ...chosen, path };
}

function anchoredOf({ name, anchored, snapshots }: DraftDataset): DraftSnapshot {
  if (anchored !== undefined) return anchored;
  const why =
    snapshots.length === 0
      ? 'it has no snapshot'
      : 'the control log has anchored none of its snapshots yet';
  throw new HoldfastError('not-committed', `dataset ${name} has no latest snapshot: ${why}`, {
    next: 'holdfast snapshots, then name one: {"name": "NAME", "snapshot": "ID"}',
  });
}

function snapshotOf({ name, snapshots }: DraftDataset, prefix: string): DraftSnapshot {
  const found = snapshots.filter(({ snapshot }) => snapshot.startsWith(prefix.toLowerCase()));
  const [only, ...others] = found;
  const next = `holdfast snapshots --dataset ${name}`;
  if (only === undefined || prefix.length < 4) {
    throw new HoldfastError('not-found', `dataset ${name} has no snapshot ${prefix}`, { next });
  }
  if (others.length > 0) {
    throw new HoldfastError(
      'ambiguous',
      `${found.length} snapshots of ${name} begin with ${prefix}`,
      {
        next,
      },
    );
  }
  return only;
}

/** Each dataset is restored; when all are there and well, each becomes the live copy. */
function defaultSteps(draft: PlanDraft, datasets: readonly PlanDataset[]): object[] {
  const { dir = defaultDirectory, checks = [], promote = true } = draft;
  const labels = uniqueLabels(datasets.map(({ name }) => name));
  const restores = datasets.map(({ name }, i) => ({
    id: `restore-${labels[i]}`,
    kind: 'restore',
    dataset: name,
    to: `${dir.replace(/\/+$/, '')}/${labels[i]}`,
  }));
  const checked = checks.map((probe, i) => ({
    id: `check-${i + 1}`,
    kind: 'check',
    after: restores.map(({ id }) => id),
    probe,
  }));
  const promotions = datasets.map(({ name }, i) => ({
    id: `promote-${labels[i]}`,
    kind: 'promote',
    // A promotion needs a restore of the same dataset before it, which every check has.
    after: checked.length > 0 ? checked.map(({ id }) => id) : [`restore-${labels[i]}`],
    dataset: name,
  }));
  return [...restores, ...checked, ...(promote ? promotions : [])];
}

/** A step with what was left out. Of an unknown kind it stays as it is, for the reader to refuse. */
function completed(step: object): object {
  const kind = (step as { kind?: unknown }).kind;
  const rest = typeof kind === 'string' && Object.hasOwn(defaults, kind) ? defaults[kind] : {};
  return { after: [], ...rest, ...step };
}

function defaultName(datasets: readonly PlanDataset[], site: string): string {
  const [first] = uniqueLabels(datasets.map(({ name }) => name));
  const more = datasets.length > 1 ? `-and-${datasets.length - 1}` : '';
  return `${first ?? 'restore'}${more}-to-${site}`.slice(0, 63);
}

/** Names of datasets are any text; ids of steps are not. Cut so that a prefix still fits. */
function uniqueLabels(names: readonly string[]): string[] {
  const labels: string[] = [];
  for (const name of names) {
    const label =
      name
        .toLowerCase()
        .replace(/[^a-z0-9._-]+/g, '-')
        .replace(/^[^a-z0-9]+/, '')
        .slice(0, 40) || 'dataset';
    let unique = label;
    for (let i = 2; labels.includes(unique); i++) unique = `${label}-${i}`;
    labels.push(unique);
  }
  return labels;
}

function unknownPlace(kind: string, name: string, known: readonly string[]): HoldfastError {
  return new HoldfastError('not-found', `there is no ${kind} "${name}"`, {
    next: `holdfast peer list; known: ${known.slice(0, 20).join(', ')}`,
  });
}
