import { assertNever } from '../../base/assert.ts';
import { secondMs } from '../../base/units.ts';
import { PlanFields, textOf, wrongField } from './plan-field.ts';
import { checkPlan } from './plan-rules.ts';
import {
  type PlanDataset,
  type PlanStep,
  type Probe,
  planLimits,
  type RestorePlan,
} from './restore-plan.ts';

const pathLengthMax = 4096;

/**
 * The plan in a parsed value, complete and consistent.
 * @throws HoldfastError bad-encoding; its message begins with the path of the field that is wrong
 */
export function planFrom(value: unknown): RestorePlan {
  const fields = new PlanFields(value, '');
  const target = new PlanFields(fields.value('target'), 'target');
  const plan: RestorePlan = {
    version: fields.word('version', [1]),
    name: fields.label('name'),
    target: { site: target.label('site') },
    datasets: fields.list('datasets', { min: 1, max: planLimits.datasetsMax }, datasetFrom),
    steps: fields.list('steps', { min: 1, max: planLimits.stepsMax }, stepFrom),
    onFailure: fields.word('onFailure', ['escalate', 'roll-back']),
    created: fields.text('created', 256),
  };
  target.end();
  fields.end();
  checkPlan(plan);
  return plan;
}

function datasetFrom(value: unknown, path: string): PlanDataset {
  const fields = new PlanFields(value, path);
  const dataset: PlanDataset = {
    name: fields.text('name', 128),
    id: fields.hex('id', 16),
    writer: fields.hex('writer', 32),
    snapshot: fields.hex('snapshot', 32),
    sequence: fields.integer('sequence', 1, 2 ** 48),
    path: fields.text('path', pathLengthMax, 0),
  };
  fields.end();
  return dataset;
}

const stepKinds = ['restore', 'check', 'hook', 'promote'] as const;

function stepFrom(value: unknown, path: string): PlanStep {
  const fields = new PlanFields(value, path);
  const frame = {
    id: fields.label('id'),
    after: fields.list('after', { min: 0, max: planLimits.stepsMax }, (item, at) =>
      textOf(item, at, { min: 1, max: 63 }),
    ),
    ...(fields.has('on') ? { on: fields.label('on') } : {}),
    timeoutMs: fields.integer('timeoutMs', secondMs, planLimits.timeoutMaxMs),
    attempts: fields.integer('attempts', 1, planLimits.attemptsMax),
  };
  const step = { ...frame, ...workFrom(fields) };
  fields.end();
  return step;
}

/** What a step does, beside what all steps have. */
type Work = PlanStep extends infer Step
  ? Step extends PlanStep
    ? Omit<Step, 'id' | 'after' | 'on' | 'timeoutMs' | 'attempts'>
    : never
  : never;

function workFrom(fields: PlanFields): Work {
  const kind = fields.word('kind', stepKinds);
  switch (kind) {
    case 'restore':
      return { kind, dataset: fields.text('dataset', 128), to: absolutePath(fields, 'to') };
    case 'check':
      return { kind, probe: probeFrom(fields.value('probe'), fields.at('probe')) };
    case 'hook': {
      const argv = argvFrom(fields, 'argv');
      return fields.has('undo') ? { kind, argv, undo: argvFrom(fields, 'undo') } : { kind, argv };
    }
    case 'promote':
      return { kind, dataset: fields.text('dataset', 128) };
    default:
      return assertNever(kind);
  }
}

const probeKinds = ['command', 'http', 'tcp', 'digest'] as const;

/** One question. @throws HoldfastError bad-encoding */
export function probeFrom(value: unknown, path: string): Probe {
  const fields = new PlanFields(value, path);
  const probe = probeOf(fields);
  fields.end();
  return probe;
}

function probeOf(fields: PlanFields): Probe {
  const kind = fields.word('kind', probeKinds);
  switch (kind) {
    case 'command':
      return { kind, argv: argvFrom(fields, 'argv') };
    case 'http':
      return { kind, url: urlFrom(fields), expect: fields.integer('expect', 100, 599) };
    case 'tcp':
      return { kind, address: addressFrom(fields) };
    case 'digest':
      return { kind, file: absolutePath(fields, 'file'), sha256: fields.hex('sha256', 32) };
    default:
      return assertNever(kind);
  }
}

function argvFrom(fields: PlanFields, name: string): string[] {
  const count = { min: 1, max: planLimits.argumentsMax };
  const argv = fields.list(name, count, (item, at) =>
    textOf(item, at, { min: 0, max: pathLengthMax }),
  );
  if (argv[0] === '') throw wrongField(`${fields.at(name)}[0]`, 'must name a program');
  return argv;
}

function urlFrom(fields: PlanFields): string {
  const url = fields.text('url', 2048);
  if (/^https?:\/\/[!-~]+$/.test(url)) return url;
  throw wrongField(fields.at('url'), 'must begin with http:// or https:// and have no spaces');
}

function addressFrom(fields: PlanFields): string {
  const address = fields.text('address', 260);
  const port = Number(/^(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\]):([1-9]\d{0,4})$/.exec(address)?.[1]);
  if (port <= 0xffff) return address;
  throw wrongField(fields.at('address'), 'must be host:port, or [address]:port');
}

/** Never "/" and never through "..": what is written there must stay below one directory. */
function absolutePath(fields: PlanFields, name: string): string {
  const path = fields.text(name, pathLengthMax);
  const parts = path.split('/').slice(1);
  if (path.startsWith('/') && !parts.some((part) => ['', '.', '..'].includes(part))) return path;
  throw wrongField(
    fields.at(name),
    'must be an absolute path below "/", without "." or ".." parts',
  );
}
