import { describe, expect, test } from 'vitest';
import { fromUtf8, utf8 } from '../../../../src/base/bytes.ts';
import { canonicalJson } from '../../../../src/core/policy/plan-json.ts';
import { planFrom } from '../../../../src/core/policy/plan-reader.ts';
import { decodePlan, encodePlan, planHash } from '../../../../src/core/policy/plan-text.ts';
import { planLimits } from '../../../../src/core/policy/restore-plan.ts';
import { sampleAgent } from '../../../support/sample-cluster.ts';
import { samplePlan } from '../protocol/control/sample-control.ts';

const plan = samplePlan(sampleAgent('oslo'));

/** The sample with one field set, named as in the messages. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(plan) as unknown as Record<string, unknown>;
  const keys = path.split(/[.[\]]+/).filter((key) => key !== '');
  const last = keys.pop() as string;
  let at: Record<string, unknown> = copy;
  for (const key of keys) at = at[key] as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

describe('the text of a plan', () => {
  test('it gives back the plan, and names it by its hash', () => {
    const bytes = encodePlan(plan);
    expect(decodePlan(bytes)).toEqual(plan);
    expect(planHash(bytes)).toMatch(/^[0-9a-f]{64}$/);
    expect(planHash(encodePlan({ ...plan, name: 'other' }))).not.toBe(planHash(bytes));
  });

  test('it does not depend on the order in which fields were written', () => {
    const reversed = Object.fromEntries(Object.entries(plan).toReversed()) as typeof plan;
    expect(encodePlan(reversed)).toEqual(encodePlan(plan));
  });

  test('keys are sorted, and there is no white space', () => {
    expect(canonicalJson({ b: [1, 'x y'], a: { d: true, c: null } })).toBe(
      '{"a":{"c":null,"d":true},"b":[1,"x y"]}',
    );
  });

  test('any other text of the same plan is refused', () => {
    const text = fromUtf8(encodePlan(plan)) as string;
    expect(() => decodePlan(utf8(`${text} `))).toThrow('not in canonical form');
    expect(() => decodePlan(utf8(text.replace('"version":1', '"version":1.0')))).toThrow(
      'not in canonical form',
    );
    const twice = text.replace('"version":1', '"version":1,"version":1');
    expect(() => decodePlan(utf8(twice))).toThrow('not in canonical form');
  });

  test('what is no JSON, no UTF-8 or too large is refused', () => {
    expect(() => decodePlan(utf8('{'))).toThrow('not JSON');
    expect(() => decodePlan(Uint8Array.of(0xff))).toThrow('not UTF-8');
    expect(() => decodePlan(new Uint8Array(planLimits.sizeMax + 1))).toThrow('too large');
    const argv = Array.from({ length: 16 }, () => 'x'.repeat(4000));
    const hook = {
      id: 'hook',
      kind: 'hook',
      after: [],
      timeoutMs: 1000,
      attempts: 1,
      argv,
    } as const;
    expect(() => encodePlan({ ...plan, steps: [...plan.steps, hook] })).toThrow('too large');
  });
});

describe('every wrong field is named', () => {
  test.each([
    ['version', 2, 'version: must be one of 1'],
    ['name', 'Big Plan', 'name: must be lower-case letters, digits'],
    ['target', 'bergen', 'target: must be an object'],
    ['target.site', undefined, 'target.site: is missing'],
    ['target.port', 1, 'target.port: is not known here'],
    ['extra', 1, 'extra: is not known here'],
    ['onFailure', 'panic', 'onFailure: must be one of "escalate", "roll-back"'],
    ['created', 'a\u001b[2J', 'created: has characters that cannot be shown'],
    ['datasets', [], 'datasets: has 0 items, allowed are 1 to 64'],
    ['datasets', 'all', 'datasets: must be a list'],
    ['datasets[0].id', 'abc', 'datasets[0].id: must be 32 hexadecimal digits'],
    ['datasets[0].sequence', 1.5, 'datasets[0].sequence: must be a whole number from 1'],
    ['datasets[1]', plan.datasets[0], 'datasets[1].name: "db" is there twice'],
    ['datasets[1]', { ...plan.datasets[0], name: 'b' }, 'datasets[1].id: this dataset is there'],
    ['steps', [], 'steps: has 0 items, allowed are 1 to 256'],
    ['steps[0].kind', 'format', 'steps[0].kind: must be one of "restore"'],
    ['steps[0].to', '/', 'steps[0].to: must be an absolute path below "/"'],
    ['steps[0].to', 'srv', 'steps[0].to: must be an absolute path below "/"'],
    ['steps[0].to', '/srv/../etc', 'steps[0].to: must be an absolute path below "/"'],
    ['steps[0].dataset', 'web', 'steps[0].dataset: there is no dataset "web"'],
    ['steps[0].argv', ['x'], 'steps[0].argv: is not known here'],
    ['steps[0].on', 'No Site', 'steps[0].on: must be lower-case letters'],
    ['steps[0].attempts', 0, 'steps[0].attempts: must be a whole number from 1 to 10'],
    ['steps[0].timeoutMs', 1, 'steps[0].timeoutMs: must be a whole number from 1000'],
    ['steps[1].after[0]', 'db', 'steps[1].after[0]: there is no step "db"'],
    ['steps[1].after[0]', 7, 'steps[1].after[0]: must be a text'],
    ['steps[1].after[1]', 'restore-db', 'steps[1].after[1]: "restore-db" is there twice'],
    ['steps[1].id', 'restore-db', 'steps[1].id: "restore-db" is there twice'],
    ['steps[1].probe.address', 'localhost', 'steps[1].probe.address: must be host:port'],
    ['steps[1].probe.address', 'localhost:70000', 'steps[1].probe.address: must be host:port'],
    ['steps[1].probe', { kind: 'http', url: 'file:///x', expect: 200 }, 'steps[1].probe.url: must'],
    [
      'steps[1].probe',
      { kind: 'http', url: 'http://x', expect: 99 },
      'steps[1].probe.expect: must',
    ],
    ['steps[1].probe', { kind: 'command', argv: [''] }, 'steps[1].probe.argv[0]: must name'],
    ['steps[1].probe', { kind: 'digest', file: '/a', sha256: 'A' }, 'steps[1].probe.sha256: must'],
    ['steps[0].after', ['promote-db'], 'steps: they wait for each other: "restore-db" after'],
    ['steps[2].after', [], 'steps[2].dataset: it is promoted without a restore of "db" before'],
  ])('%s = %j', (path, value, message) => {
    let found = '';
    try {
      planFrom(changed(path, value));
    } catch (error) {
      found = (error as Error).message;
    }
    expect(found.slice(0, message.length)).toBe(message);
  });

  test('a dataset is promoted once', () => {
    const again = { ...plan.steps[2], id: 'again' };
    expect(() => planFrom(changed('steps[3]', again))).toThrow(
      'steps[3].dataset: it is promoted twice',
    );
  });

  test('a plan that is no object is called one', () => {
    expect(() => planFrom([])).toThrow('plan: must be an object');
  });
});

describe('every kind of step and probe', () => {
  test.each([
    { kind: 'command', argv: ['pg_isready', ''] },
    { kind: 'http', url: 'https://db.example/health?x=1', expect: 204 },
    { kind: 'tcp', address: '[::1]:5432' },
    { kind: 'digest', file: '/srv/db/base', sha256: 'a'.repeat(64) },
  ] as const)('$kind', (probe) => {
    const check = { ...plan.steps[1], probe, on: 'bergen-host' } as (typeof plan.steps)[number];
    const hook = {
      id: 'hook',
      kind: 'hook',
      after: ['check-db'],
      timeoutMs: 1000,
      attempts: 1,
      argv: ['systemctl', 'start', 'db'],
      undo: ['systemctl', 'stop', 'db'],
    } as const;
    const steps = [plan.steps[0], check, plan.steps[2], hook] as typeof plan.steps;
    const full = { ...plan, steps };
    expect(decodePlan(encodePlan(full))).toEqual(full);
  });
});
