import { expect, test } from 'vitest';
import { GenerationsGrow } from '../../../../sim/control/checkers/generations-grow.ts';
import { LeasedCopies } from '../../../../sim/control/checkers/leased-copies.ts';
import { LiveCopies } from '../../../../sim/control/checkers/live-copies.ts';
import { OneCertificate } from '../../../../sim/control/checkers/one-certificate.ts';
import { OneLive } from '../../../../sim/control/checkers/one-live.ts';
import type { ControlSeen } from '../../../../sim/control/observation.ts';
import { Truth } from '../../../../sim/control/truth.ts';
import type { AgentKey, ClusterId, DatasetId } from '../../../../src/core/ids.ts';

const dataset = 'd'.repeat(32) as DatasetId;

/** What a host knows of the one dataset. */
function state(agent: string, incarnation: object, generation = 1): ControlSeen {
  const known = { dataset, incarnation: 1, state: 'live', ...incarnation };
  const incarnations = { all: () => [known] };
  const seen = {
    kind: 'state',
    agent,
    name: agent,
    control: { state: { generation, incarnations } },
  };
  return seen as unknown as ControlSeen;
}

test('a slot that two logs have decided for two agents is found', () => {
  const checker = new OneCertificate();
  const decided = (target: string) => ({ certificate: { generation: 1, incarnation: 2, target } });
  expect(checker.observe(state('ada', decided('ada')))).toBeUndefined();
  expect(checker.observe(state('bob', decided('ada')))).toBeUndefined();
  expect(checker.observe(state('cyd', decided('bob')))).toContain('two certificates');
});

test('two copies that run at once are found, unless one was really switched off', () => {
  const truth = new Truth();
  const options = {
    truth,
    isRunning: () => true,
    hasStopped: () => false,
    isDecreeFalse: () => false,
  };
  const held = (holder: string, incarnation: number) => ({ holder, incarnation });
  const checker = new LiveCopies(options);
  expect(checker.observe(state('ada', held('ada', 1)))).toBeUndefined();
  truth.stop('ada' as AgentKey, dataset, 1);
  expect(checker.observe(state('bob', held('bob', 2)))).toBeUndefined();
  // Bob has not heard of it, and nobody has stopped him.
  expect(checker.observe(state('cyd', held('cyd', 3)))).toContain('is live at');
  expect(new LiveCopies(options).observe(state('cyd', held('cyd', 3)))).toBeUndefined();
});

test('programs that start at one host while they run at another are found', () => {
  let usedAt = ['ada'] as AgentKey[];
  const checker = new LeasedCopies(() => usedAt);
  const start = (agent: string) =>
    checker.observe({ kind: 'programs', agent: agent as AgentKey, name: agent, dataset: 'db' });
  expect(start('ada')).toBeUndefined();
  usedAt = ['ada', 'bob'] as AgentKey[];
  expect(start('bob')).toContain('start while those at ada run');
});

test('the word that an agent is off for one dataset ends no copy of another there', () => {
  const checker = new OneLive('c'.repeat(64) as ClusterId, 0);
  let index = 0;
  const applied = (body: object, incarnations: readonly object[]): string | undefined => {
    const command = { body, index: ++index, outcome: { outcome: 'applied' } };
    const control = { state: { incarnations: { all: () => incarnations } } };
    return checker.observe({ kind: 'applied', command, control } as unknown as ControlSeen);
  };
  const other = 'e'.repeat(32);
  const live = [dataset, other].map((of) => {
    return { dataset: of, incarnation: 1, state: 'live', holder: 'ada' };
  });
  const [first, second] = live.map((one) => ({ ...one, state: 'dead', holder: undefined }));
  const isolate = { kind: 'isolate', agent: 'ada', dataset, reason: 'off' };
  expect(applied({ kind: 'time' }, live)).toBeUndefined();
  expect(applied(isolate, [first as object, live[1] as object])).toBeUndefined();
  expect(applied({ kind: 'time' }, [first as object, second as object])).toContain(
    'without evidence',
  );
});

test('a vote given back counts in the generation where it was, whoever applies an older entry again', () => {
  const checker = new GenerationsGrow();
  const given = (generation: number, role: string): string | undefined => {
    const body = { kind: 'roles', agent: 'ada', add: [role], remove: [] };
    const command = { body, generation, outcome: { outcome: 'applied' } };
    return checker.observe({ kind: 'applied', command } as unknown as ControlSeen);
  };
  const votes = (generation: number): string | undefined => {
    const decree = { generation, abandoned: ['ada'] };
    const decrees = { all: () => [{ decree, authors: ['ann', 'ben'], id: `d${generation}` }] };
    const control = { state: { generation, decrees, config: { voters: ['ada'] } } };
    return checker.observe({ kind: 'state', agent: 'bob', control } as unknown as ControlSeen);
  };
  given(2, 'voter');
  expect(votes(3)).toContain('votes again');
  given(3, 'witness');
  expect(votes(3)).toBeUndefined();
  given(2, 'voter');
  expect(votes(3)).toBeUndefined();
});
