import { beforeEach, describe, expect, test } from 'vitest';
import { openCommand } from '../../../../../src/core/format/control-envelope.ts';
import type { DatasetId } from '../../../../../src/core/ids.ts';
import { idOf } from '../../../../../src/core/ids.ts';
import { type SampleAgent, SampleCluster, secretOf } from '../../../../support/sample-cluster.ts';
import { bergen, dbId, riga, SampleControl, turku } from './sample-control.ts';

let log: SampleControl;

beforeEach(() => {
  log = SampleControl.full();
});

function mayWrite(agent: SampleAgent, dataset: DatasetId = dbId): boolean {
  return log.state.mayWrite(agent.agentKey, dataset).may;
}

function isolate(agent: SampleAgent, dataset?: DatasetId): string {
  const { agentKey } = agent;
  return log.byOperator({ kind: 'isolate', agent: agentKey, dataset, reason: 'powered off' });
}

function reinstate(agent: SampleAgent): string {
  return log.byOperator({ kind: 'reinstate', agent: agent.agentKey, dataset: dbId });
}

function decide(): void {
  const { fence } = log.contest();
  for (const voter of [bergen, turku]) log.by(voter, log.vote(fence));
}

const demotion = { kind: 'demote', dataset: dbId, incarnation: 0 } as const;

describe('evidence that an incarnation is off', () => {
  test('without it nothing is promoted', () => {
    const at = log.start();
    log.prove(at);
    expect(log.by(turku, log.promotion(at))).toBe('nothing proves that incarnation 0 is off');
  });

  test('the holder may give it itself, nobody else', () => {
    log.start();
    expect(log.by(bergen, demotion)).toBe('only the holder may demote itself');
    expect(log.by(log.oslo, { ...demotion, incarnation: 1 })).toBe('incarnation 0 is current');
    expect(log.by(log.oslo, demotion)).toBe('applied');
    expect(log.db()).toMatchObject({ state: 'off', incarnation: 0 });
    expect(log.by(log.oslo, demotion)).toBe('incarnation 0 is off');
    expect(mayWrite(log.oslo)).toBe(false);
  });

  test('of a dataset that no plan has named there is none to give', () => {
    expect(log.by(log.oslo, demotion)).toBe('no plan has named this dataset');
    expect(mayWrite(log.oslo)).toBe(true);
  });

  test('operators may attest it, of all datasets or of one', () => {
    log.start();
    expect(isolate(log.oslo)).toBe('applied');
    expect(isolate(log.oslo)).toBe('this has been attested already');
    expect(log.db().state).toBe('off');
    expect(mayWrite(log.oslo)).toBe(false);
    expect(isolate(bergen, dbId)).toBe('applied');
    expect([mayWrite(bergen), mayWrite(bergen, idOf(secretOf('other').subarray(0, 16)))]).toEqual([
      false,
      true,
    ]);
  });

  test('an attestation counts also for datasets that a plan names later', () => {
    isolate(log.oslo);
    log.submit();
    expect(log.db().state).toBe('off');
  });

  test('an agent cannot attest it of another', () => {
    const body = { kind: 'isolate', agent: log.oslo.agentKey, reason: 'gone' } as const;
    expect(log.by(bergen, { ...body, dataset: undefined })).toContain('operators must sign');
  });
});

describe('a promotion', () => {
  test('it opens a slot for one candidate, voted on by the voters of that moment', () => {
    log.contest();
    expect(log.db()).toMatchObject({ incarnation: 1, state: 'contested', holder: undefined });
    const voters = [log.oslo, bergen, turku].map(({ agentKey }) => agentKey).sort();
    expect(log.db().slot).toMatchObject({ target: bergen.agentKey, voters });
    expect([mayWrite(log.oslo), mayWrite(bergen)]).toEqual([false, false]);
  });

  test('health checks come before it', () => {
    const at = log.start();
    log.by(log.oslo, demotion);
    expect(log.by(turku, log.promotion(at))).toBe('step "promote-db" waits for others');
  });

  test('only the coordinator asks for it, with its current fence', () => {
    const at = log.start();
    log.prove(at);
    log.by(log.oslo, demotion);
    expect(log.by(bergen, log.promotion(at))).toBe('only the coordinator promotes');
    const fence = log.assign(at.hash, bergen);
    expect(log.by(turku, log.promotion(at))).toContain('by now');
    expect(log.by(bergen, log.promotion({ ...at, fence }))).toBe('applied');
  });

  test('it must say what the signed plan says', () => {
    const at = log.start();
    log.prove(at);
    log.by(log.oslo, demotion);
    const say = (change: Parameters<SampleControl['promotion']>[1]) =>
      log.by(turku, log.promotion(at, change));
    expect(say({ target: riga.agentKey })).toBe('step "promote-db" promotes at another agent');
    expect(say({ step: 'check-db' })).toBe('"check-db" is no step that promotes');
    expect(say({ name: 'other' })).toBe('step "promote-db" promotes another dataset');
    expect(say({ incarnation: 2 })).toBe('incarnation 0 of "db" is current');
    isolate(bergen);
    expect(say({})).toBe('the target is isolated');
  });

  test('one slot is opened once', () => {
    const at = log.contest();
    expect(log.by(turku, log.promotion(at))).toBe('incarnation 1 of "db" is current');
    expect(log.by(turku, log.promotion(at, { incarnation: 2 }))).toContain('still contested');
  });
});

describe('a vote', () => {
  test('a quorum of grants makes the target live, and their envelopes are the proof', () => {
    const { fence } = log.contest();
    expect(log.by(bergen, log.vote(fence))).toBe('applied');
    expect(log.db().state).toBe('contested');
    expect(log.by(turku, log.vote(fence))).toBe('applied');
    expect(log.db()).toMatchObject({ state: 'live', holder: bergen.agentKey, slot: undefined });
    expect([mayWrite(bergen), mayWrite(log.oslo)]).toEqual([true, false]);
    const from = { writer: log.oslo.agentKey, sequence: expect.any(Number) };
    expect(log.db().holders.at(-1)).toMatchObject({ incarnation: 1, from });
    const { votes = [], target } = log.db().certificate ?? {};
    expect(target).toBe(bergen.agentKey);
    const signers = votes.flatMap((vote) => [...openCommand(vote, log.cluster.id).signers]);
    expect(signers).toEqual([bergen.agentKey, turku.agentKey]);
  });

  test('the step of a decided slot may be marked as done, which ends the run', () => {
    const at = log.contest();
    expect(log.mark(at, 'promote-db', 'done')).toBe('"db" is not promoted yet');
    for (const voter of [bergen, turku]) log.by(voter, log.vote(at.fence));
    expect(log.mark(at, 'promote-db', 'done')).toBe('applied');
    expect(log.runOf(at.hash).state).toBe('done');
  });

  test('a voter has one, and a second that differs is kept as evidence', () => {
    const { fence } = log.contest();
    log.by(bergen, log.vote(fence));
    expect(log.by(bergen, log.vote(fence))).toBe('this voter has voted already');
    expect(log.state.findings.equivocations).toEqual([]);
    expect(log.by(bergen, log.vote(fence, { target: undefined }))).toContain('two different votes');
    expect(log.db().slot?.votes).toHaveLength(1);
    const [found] = log.state.findings.equivocations;
    expect(found?.agent).toBe(bergen.agentKey);
    expect(found?.evidence).toHaveLength(2);
  });

  test('a second one is evidence against the voter also when the slot is decided', () => {
    const { fence } = log.contest();
    for (const voter of [bergen, turku]) log.by(voter, log.vote(fence));
    expect(log.db().state).toBe('live');
    expect(log.by(bergen, log.vote(fence))).toBe('this voter has voted already');
    expect(log.by(riga, log.vote(fence, { target: undefined }))).toContain('no such open slot');
    expect(log.state.findings.equivocations).toEqual([]);
    expect(log.by(bergen, log.vote(fence, { target: undefined }))).toContain('taken back');
    expect(log.by(turku, log.vote(fence, { target: riga.agentKey }))).toContain('taken back');
    const found = log.state.findings.equivocations;
    expect(found.map(({ agent }) => agent)).toEqual([bergen.agentKey, turku.agentKey]);
    expect(found.map(({ evidence }) => evidence.length)).toEqual([2, 2]);
    expect(log.db().state).toBe('live');
  });

  test('it names the candidate, fence and generation of the log', () => {
    const { fence } = log.contest();
    const other = { generation: 1, index: fence.index + 1 };
    expect(log.by(bergen, log.vote(fence, { target: riga.agentKey }))).toContain(
      'another candidate',
    );
    expect(log.by(bergen, log.vote(other))).toContain('another candidate or fence');
    expect(log.by(bergen, log.vote(fence, { generation: 2 }))).toContain('another generation');
    expect(log.by(bergen, log.vote(fence, { incarnation: 2 }))).toContain('no such open slot');
    expect(log.db().slot?.votes).toEqual([]);
  });

  test('those decide it who voted when it was opened, whoever votes by now', () => {
    const { fence } = log.contest();
    const late = { ...bergen, descriptor: bergen.descriptor };
    log.configure([log.oslo, turku]);
    expect(log.by(riga, log.vote(fence))).toBe('the slot was opened without this voter');
    expect(log.by(late, log.vote(fence))).toBe('applied');
  });

  test('a slot that too many have abandoned is dead, and the next may open', () => {
    const at = log.contest();
    log.by(bergen, log.vote(at.fence, { target: undefined }));
    log.by(turku, log.vote(at.fence, { target: undefined }));
    expect(log.db()).toMatchObject({ state: 'dead', holder: undefined, incarnation: 1 });
    expect(log.by(log.oslo, log.vote(at.fence))).toBe('there is no such open slot');
    expect(log.by(turku, log.promotion(at, { incarnation: 2 }))).toBe('applied');
    expect(log.db()).toMatchObject({ state: 'contested', incarnation: 2 });
  });

  test('a slot whose target operators attest to be off is dead, whatever its voters still say', () => {
    const at = log.contest();
    log.by(bergen, log.vote(at.fence));
    isolate(turku);
    expect(log.db().state).toBe('contested');
    expect(isolate(bergen, dbId)).toBe('applied');
    expect(log.db()).toMatchObject({ state: 'dead', holder: undefined, slot: undefined });
    expect(log.by(turku, log.vote(at.fence))).toBe('there is no such open slot');
    expect(log.by(turku, log.promotion(at, { incarnation: 2 }))).toBe('the target is isolated');
    expect(reinstate(bergen)).toBe('applied');
    expect(mayWrite(bergen)).toBe(false);
    expect(reinstate(bergen)).toBe('it has never held the dataset');
    expect(log.by(turku, log.promotion(at, { incarnation: 2 }))).toBe('applied');
  });
});

describe('giving a promotion up', () => {
  const abandon = { kind: 'abandon', dataset: dbId, incarnation: 1, reason: 'wrong host' } as const;

  test('an operator asks for it, while the slot is open, once', () => {
    const at = log.contest();
    expect(log.by(bergen, abandon)).toBe('an operator must sign this');
    expect(log.byOperator({ ...abandon, incarnation: 2 })).toContain('no promotion is being voted');
    expect(log.byOperator(abandon)).toBe('applied');
    expect(log.byOperator(abandon)).toBe('it is being given up already');
    expect(log.db()).toMatchObject({ state: 'contested', slot: { isGivenUp: true } });
    expect(log.runOf(at.hash).state).toBe('escalated');
    const step = { state: 'escalated', detail: 'an operator gives incarnation 1 up: wrong host' };
    expect(log.runOf(at.hash).steps.get('promote-db')).toMatchObject(step);
  });

  test('words that were given stand: a slot that enough have granted is live all the same', () => {
    const { fence } = log.contest();
    log.by(bergen, log.vote(fence));
    log.byOperator(abandon);
    log.by(turku, log.vote(fence));
    expect(log.db()).toMatchObject({ state: 'live', holder: bergen.agentKey });
  });

  test('once it is dead no certificate comes to be, and resuming opens the next incarnation', () => {
    const at = log.contest();
    log.by(bergen, log.vote(at.fence));
    log.byOperator(abandon);
    for (const voter of [log.oslo, turku]) {
      log.by(voter, log.vote(at.fence, { target: undefined }));
    }
    expect(log.db()).toMatchObject({ state: 'dead', certificate: undefined });
    expect(log.by(turku, log.vote(at.fence))).toBe('there is no such open slot');
    const ofRun = { plan: at.hash, run: 1 };
    expect(log.byOperator({ kind: 'plan-decision', ...ofRun, decision: 'resume' })).toBe('applied');
    expect(log.by(turku, log.promotion(at, { incarnation: 2 }))).toBe('applied');
    expect(log.db()).toMatchObject({ state: 'contested', incarnation: 2 });
  });

  test('a plan that is cancelled gives up what it has asked for', () => {
    const at = log.contest();
    log.byOperator({ kind: 'plan-decision', plan: at.hash, run: 1, decision: 'cancel' });
    expect(log.db().slot).toMatchObject({ isGivenUp: true });
  });

  test('a plan is rolled back once its promotion is dead, and not before', () => {
    const at = log.contest();
    const rollBack = { kind: 'plan-decision', plan: at.hash, run: 1 } as const;
    const decision = 'roll-back';
    expect(log.byOperator({ ...rollBack, decision })).toContain('give it up first');
    log.byOperator(abandon);
    expect(log.byOperator({ ...rollBack, decision })).toContain('give it up first');
    for (const voter of [bergen, turku]) log.by(voter, log.vote(at.fence, { target: undefined }));
    expect(log.byOperator({ ...rollBack, decision })).toBe('applied');
    expect(log.runOf(at.hash).state).toBe('rolling-back');
  });
});

describe('with one voter that may lie', () => {
  test('a majority decides nothing, and so little kills nothing', () => {
    log = SampleControl.full(new SampleCluster('wary', { byzantineVoters: 1 }));
    const { fence } = log.contest();
    for (const voter of [bergen, turku]) log.by(voter, log.vote(fence));
    expect(log.db().state).toBe('contested');
    log.by(log.oslo, log.vote(fence));
    expect(log.db()).toMatchObject({ state: 'live', holder: bergen.agentKey });
  });

  test('three cannot outvote it: only the word that the target is off ends what it has split', () => {
    log = SampleControl.full(new SampleCluster('wary', { byzantineVoters: 1 }));
    const { fence } = log.contest();
    for (const voter of [bergen, turku]) log.by(voter, log.vote(fence));
    log.by(log.oslo, log.vote(fence, { target: undefined }));
    expect(log.db().state).toBe('contested');
    log.byOperator({ kind: 'abandon', dataset: dbId, incarnation: 1, reason: 'split' });
    expect(log.db().state).toBe('contested');
    expect(isolate(bergen, dbId)).toBe('applied');
    expect(log.db()).toMatchObject({ state: 'dead', certificate: undefined });
  });

  test('a lone voter cannot decide at all, and says so', () => {
    log = SampleControl.full(new SampleCluster('wary', { byzantineVoters: 1 }));
    const at = log.start();
    log.prove(at);
    log.by(log.oslo, demotion);
    log.configure([turku]);
    expect(log.by(turku, log.promotion(at))).toBe(
      '1 voters cannot outvote 1 that may lie: add voters first',
    );
  });
});

describe('reinstating', () => {
  test('the last holder is the live copy again when no other came after it', () => {
    log.start();
    log.by(log.oslo, demotion);
    expect(reinstate(bergen)).toBe('it has never held the dataset');
    expect(reinstate(log.oslo)).toBe('applied');
    expect(log.db()).toMatchObject({ state: 'live', holder: log.oslo.agentKey });
    expect(mayWrite(log.oslo)).toBe(true);
  });

  test('after a dead slot the last holder is live, so that nothing more is proven off', () => {
    const at = log.contest();
    for (const voter of [bergen, turku]) log.by(voter, log.vote(at.fence, { target: undefined }));
    expect(reinstate(log.oslo)).toBe('applied');
    expect(log.by(turku, log.promotion(at, { incarnation: 2 }))).toBe(
      'nothing proves that incarnation 1 is off',
    );
  });

  test('not while a slot is open', () => {
    log.contest();
    expect(reinstate(log.oslo)).toBe('a slot is open: wait for its end');
  });

  test('a former holder writes a line of its own beside the live copy', () => {
    decide();
    expect(reinstate(bergen)).toBe('it may write already');
    expect(reinstate(log.oslo)).toBe('applied');
    expect(mayWrite(log.oslo)).toBe(true);
    expect(log.db().holder).toBe(bergen.agentKey);
    isolate(log.oslo);
    expect(mayWrite(log.oslo)).toBe(false);
  });

  test('it lifts an isolation for this dataset alone', () => {
    log.start();
    isolate(log.oslo);
    expect(reinstate(log.oslo)).toBe('applied');
    const other = idOf<DatasetId>(secretOf('other').subarray(0, 16));
    expect([mayWrite(log.oslo), mayWrite(log.oslo, other)]).toEqual([true, false]);
  });

  test('it needs operators, and something to reinstate', () => {
    expect(reinstate(log.oslo)).toBe('there is nothing to reinstate');
    const body = { kind: 'reinstate', agent: log.oslo.agentKey, dataset: dbId } as const;
    expect(log.by(log.oslo, body)).toContain('operators must sign');
  });
});
