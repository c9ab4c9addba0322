import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { Hook, HookResult } from '../../../../src/ports/hook.ts';
import type { Notice } from '../../../../src/ports/messenger.ts';
import { ProgramMessenger } from '../../../../src/services/notify/program-messenger.ts';

const notice: Notice = {
  ...{ id: 'abc-raised-1', state: 'raised', timeMs: 1, sinceMs: 1 },
  ...{ alarm: 'suspect-snapshot', subject: 'abcd', text: 'look at it', facts: { dataset: 'web' } },
  runbook: 'docs/runbooks/ransomware.md',
  cluster: { id: 'c1', name: 'home' },
  agent: { name: 'oslo-1', site: 'oslo' },
};

function bench(outcome: HookResult | HoldfastError) {
  const hooks: Hook[] = [];
  const run = async (hook: Hook): Promise<HookResult> => {
    hooks.push(hook);
    if (outcome instanceof HoldfastError) throw outcome;
    return outcome;
  };
  return { hooks, messenger: new ProgramMessenger({ run }, ['/bin/tell', '-v']) };
}

describe('a program', () => {
  test('finds everything in its environment', async () => {
    const { hooks, messenger } = bench({ isDone: true, detail: 'exit 0', output: '' });
    expect(await messenger.send(notice, {})).toEqual({ outcome: 'sent' });
    expect(hooks).toEqual([
      {
        argv: ['/bin/tell', '-v'],
        environment: {
          ...{ HOLDFAST_ALARM: 'suspect-snapshot', HOLDFAST_SUBJECT: 'abcd' },
          ...{ HOLDFAST_TEXT: 'look at it', HOLDFAST_DATASET: 'web', HOLDFAST_STATE: 'raised' },
          ...{ HOLDFAST_CLUSTER: 'home', HOLDFAST_HOST: 'oslo-1', HOLDFAST_SITE: 'oslo' },
          HOLDFAST_RUNBOOK: 'docs/runbooks/ransomware.md',
        },
      },
    ]);
  });

  test.each([
    [{ isDone: false, detail: '/bin/tell ended with code 1', output: 'no route' }, 'no route'],
    [new HoldfastError('not-found', 'no such program'), 'no such program'],
  ])('that fails is not run again: nobody knows what it has done', async (outcome, reason) => {
    const delivery = await bench(outcome).messenger.send(notice, {});
    expect(delivery).toMatchObject({ outcome: 'refused', reason: expect.stringContaining(reason) });
  });

  test('that is called off leaves the notice for later', async () => {
    const stop = new AbortController();
    stop.abort(new HoldfastError('interrupted', 'stopping'));
    const { messenger } = bench(new HoldfastError('interrupted', 'stopping'));
    const sending = messenger.send(notice, { signal: stop.signal });
    await expect(sending).rejects.toMatchObject({ code: 'interrupted' });
  });
});
