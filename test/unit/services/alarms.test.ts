import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { Hook, HookResult } from '../../../src/ports/hook.ts';
import { Alarms } from '../../../src/services/alarms.ts';

function bench(outcome: HookResult | HoldfastError, command?: readonly string[]) {
  const hooks: Hook[] = [];
  const lines: string[] = [];
  let nowMs = 0;
  const alarms = new Alarms({
    clock: { nowMs: () => ++nowMs },
    command,
    log: { log: (level, message) => lines.push(`${level} ${message}`) },
    hooks: {
      run: async (hook) => {
        hooks.push(hook);
        if (outcome instanceof HoldfastError) throw outcome;
        return outcome;
      },
    },
  });
  return { alarms, hooks, lines };
}

const done: HookResult = { isDone: true, detail: 'exit 0', output: '' };
const alarm = {
  ...{ kind: 'suspect-snapshot', subject: 'abcd', text: 'look at it' },
  facts: { dataset: 'web' },
};

describe('alarms', () => {
  test('run the program of the configuration, which finds everything in its environment', async () => {
    const { alarms, hooks, lines } = bench(done, ['/bin/tell', '-v']);
    await alarms.raise(alarm);
    expect(hooks).toEqual([
      {
        argv: ['/bin/tell', '-v'],
        environment: {
          ...{ HOLDFAST_ALARM: 'suspect-snapshot', HOLDFAST_SUBJECT: 'abcd' },
          ...{ HOLDFAST_TEXT: 'look at it', HOLDFAST_DATASET: 'web' },
          HOLDFAST_STATE: 'raised',
          HOLDFAST_RUNBOOK: 'docs/runbooks/ransomware.md',
        },
      },
    ]);
    expect(lines).toEqual(['error alarm']);
  });

  test('are told once for each subject', async () => {
    const { alarms, hooks } = bench(done, ['/bin/tell']);
    await alarms.raise(alarm);
    await alarms.raise(alarm);
    await alarms.raise({ ...alarm, subject: 'beef' });
    expect(hooks).toHaveLength(2);
  });

  test('are over when what is looked at does not show them any more, and may come again', async () => {
    const { alarms, hooks } = bench(done, ['/bin/tell']);
    await alarms.raise(alarm);
    await alarms.raise({ ...alarm, kind: 'forgery' });
    await alarms.settle(alarm.kind, ['abcd']);
    expect(alarms.all().map(({ clearedMs }) => clearedMs)).toEqual([undefined, undefined]);
    await alarms.settle(alarm.kind, []);
    await alarms.settle(alarm.kind, []);
    expect(alarms.all()).toMatchObject([
      { kind: alarm.kind, sinceMs: 1, clearedMs: 3, runbook: 'docs/runbooks/ransomware.md' },
      { kind: 'forgery', clearedMs: undefined },
    ]);
    await alarms.raise(alarm);
    const states = hooks.map(({ environment }) => environment.HOLDFAST_STATE);
    expect(states).toEqual(['raised', 'raised', 'cleared', 'raised']);
    expect(alarms.all().at(-1)).toMatchObject({ kind: alarm.kind, clearedMs: undefined });
  });

  test('are in the log without a program', async () => {
    const { alarms, hooks, lines } = bench(done);
    await alarms.raise(alarm);
    expect(hooks).toEqual([]);
    expect(lines).toEqual(['error alarm']);
  });

  test.each([
    [{ isDone: false, detail: 'exit 1', output: 'no route' }],
    [new HoldfastError('not-found', 'no such program')],
  ])('a program that fails is noted, and harms nothing', async (outcome) => {
    const { alarms, lines } = bench(outcome, ['/bin/tell']);
    await alarms.raise(alarm);
    expect(lines).toEqual(['error alarm', 'error the alarm program failed']);
  });
});
