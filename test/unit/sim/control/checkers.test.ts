import { expect, test } from 'vitest';
import { LeasedCopies } from '../../../../sim/control/checkers/leased-copies.ts';
import { LiveCopies } from '../../../../sim/control/checkers/live-copies.ts';
import { OneCertificate } from '../../../../sim/control/checkers/one-certificate.ts';
import type { ControlSeen } from '../../../../sim/control/observation.ts';
import { Truth } from '../../../../sim/control/truth.ts';
import type { AgentKey, DatasetId } from '../../../../src/core/ids.ts';

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
