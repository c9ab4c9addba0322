import { beforeEach, describe, expect, test } from 'vitest';
import type { BodyOf, Fence, PlanHash } from '../../../../../src/core/format/control-records.ts';
import { idOf } from '../../../../../src/core/ids.ts';
import { encodePlan, planHash } from '../../../../../src/core/policy/plan-text.ts';
import type { RestorePlan } from '../../../../../src/core/policy/restore-plan.ts';
import { controlBounds } from '../../../../../src/core/protocol/control/control-bounds.ts';
import { secretOf } from '../../../../support/sample-cluster.ts';
import { bergen, commandId, riga, SampleControl, sampleSteps, turku } from './sample-control.ts';

let log: SampleControl;

beforeEach(() => {
  log = SampleControl.full();
});

function proposal(plan: RestorePlan): BodyOf<'plan'> {
  const bytes = encodePlan(plan);
  return { kind: 'plan', plan: bytes, hash: planHash(bytes) };
}

describe('a plan', () => {
  test('it waits for a coordinator once operators have signed it', () => {
    const body = proposal(log.plan());
    expect(log.byOperator(body)).toBe('applied');
    expect(log.runOf(body.hash)).toMatchObject({ run: 1, state: 'ready', assignment: undefined });
    expect(log.state.plans.open()).toHaveLength(1);
  });

  test('an agent cannot propose one', () => {
    expect(log.by(turku, proposal(log.plan()))).toBe('1 operators must sign this, 0 did');
  });

  test('a hash that is not its own voids it', () => {
    const body = { ...proposal(log.plan()), hash: proposal(log.plan({ name: 'other' })).hash };
    expect(log.byOperator(body)).toBe('the hash is not that of the plan');
  });

  test('a text that is no plan is void with the field that is wrong', () => {
    const plan = new TextEncoder().encode('{"version":2}');
    const body = { kind: 'plan', plan, hash: planHash(plan) } as const;
    expect(log.byOperator(body)).toContain('target: is missing');
  });

  test('the same plan is not run twice at once, and again only after it was cancelled or has failed', () => {
    const body = proposal(log.plan());
    log.byOperator(body);
    expect(log.byOperator(body)).toBe('run 1 of this plan is ready');
    decide(body.hash, 'cancel');
    expect(log.byOperator(body)).toBe('applied');
    expect(log.runOf(body.hash, 1).state).toBe('cancelled');
    expect(log.runOf(body.hash, 2).state).toBe('ready');
  });

  test('the very command that began a run never begins another, however long ago it was', () => {
    const body = proposal(log.plan());
    const envelope = log.seal(body, [log.operator], { id: commandId('begin') });
    log.append(envelope);
    decide(body.hash, 'cancel');
    log.state.resume(log.state.position, []);
    expect(log.append(envelope)).toMatchObject({ reason: 'the command is known already' });
  });

  test('a dataset belongs to the writer that the first plan has named', () => {
    log.submit();
    const { datasets } = log.plan();
    const stolen = datasets.map((one) => ({ ...one, writer: riga.agentKey }));
    expect(log.byOperator(proposal(log.plan({ name: 'thief', datasets: stolen })))).toContain(
      'has never held dataset "db"',
    );
    expect(log.db()).toMatchObject({ holder: log.oslo.agentKey, incarnation: 0, state: 'live' });
  });

  test('too many open ones are refused', () => {
    for (let i = 0; i < controlBounds.openRunsMax; i++) log.submit(log.plan({ name: `plan-${i}` }));
    expect(log.byOperator(proposal(log.plan({ name: 'last' })))).toBe('too many plans are open');
  });

  test('an old finished one leaves its hash and its result', () => {
    const first = proposal(log.plan({ name: 'plan-0' }));
    for (let i = 0; i <= controlBounds.plansMax; i++) {
      decide(log.submit(log.plan({ name: `plan-${i}` })), 'cancel');
    }
    expect(log.state.plans.of(first.hash)).toBeUndefined();
    expect(log.state.plans.finished()).toMatchObject([{ hash: first.hash, state: 'cancelled' }]);
    log.byOperator(first);
    expect(log.runOf(first.hash, 2).state).toBe('ready');
    expect(log.state.plans.finished().map(({ hash }) => hash)).not.toContain(first.hash);
  });
});

function decide(plan: PlanHash, decision: BodyOf<'plan-decision'>['decision'], run = 1): string {
  return log.byOperator({ kind: 'plan-decision', plan, run, decision });
}

describe('a coordinator', () => {
  test('a voter takes over for itself, and its fence is the place of that entry', () => {
    const hash = log.submit();
    const body = { kind: 'assign', plan: hash, run: 1, coordinator: turku.agentKey } as const;
    expect(log.by(bergen, body)).toBe('a coordinator must sign for itself');
    expect(log.by(riga, { ...body, coordinator: riga.agentKey })).toContain('is not a voter');
    expect(log.by(turku, body)).toBe('applied');
    expect(log.runOf(hash)).toMatchObject({
      state: 'running',
      assignment: {
        coordinator: turku.agentKey,
        fence: { generation: 1, index: log.index },
      },
    });
  });

  test('its marks count no more once another has taken over', () => {
    const at = log.start();
    const fence = log.assign(at.hash, bergen);
    expect(log.mark(at, 'restore-db', 'started')).toBe(`the fence is 1/${fence.index} by now`);
    expect(log.mark({ ...at, fence }, 'restore-db', 'started', { by: bergen })).toBe('applied');
  });

  test('nobody takes over what is over', () => {
    const hash = log.submit();
    decide(hash, 'cancel');
    const body = { kind: 'assign', plan: hash, run: 1, coordinator: turku.agentKey } as const;
    expect(log.by(turku, body)).toBe('the run is cancelled');
    expect(log.by(turku, { ...body, run: 2 })).toBe('there is no such run of a plan');
  });
});

describe('a mark', () => {
  let at: { hash: PlanHash; fence: Fence };

  beforeEach(() => {
    at = log.start();
  });

  test('the worker may sign it, and so may the coordinator, and nobody else', () => {
    expect(log.mark(at, 'restore-db', 'started', { by: bergen })).toBe('applied');
    expect(log.mark(at, 'restore-db', 'done', { by: riga })).toBe(
      '"riga-host" is neither the coordinator nor the worker',
    );
    expect(log.mark(at, 'restore-db', 'done', { by: turku })).toBe('applied');
  });

  test('the worker must be one that the plan names', () => {
    const worker = riga.agentKey;
    expect(log.mark(at, 'restore-db', 'started', { worker })).toBe(
      'step "restore-db" is not for this worker',
    );
  });

  test('a step waits for those before it', () => {
    expect(log.mark(at, 'check-db', 'started')).toContain('waits for others');
    expect(names()).toEqual(['restore-db']);
    log.mark(at, 'restore-db', 'started');
    expect(names()).toEqual([]);
    log.mark(at, 'restore-db', 'done');
    expect(names()).toEqual(['check-db']);
  });

  test('a step that is done already is said to be', () => {
    log.prove(at);
    expect(log.mark(at, 'check-db', 'done')).toBe('step "check-db" is already done');
    expect(log.mark(at, 'check-db', 'failed')).toBe(
      'step "check-db" is done: it cannot become failed',
    );
  });

  test('what was not started does not end, and what was started ends with its own attempt', () => {
    expect(log.mark(at, 'restore-db', 'done')).toContain('is waiting');
    expect(log.mark(at, 'restore-db', 'started', { attempt: 2 })).toContain('at attempt 1, not 2');
    log.mark(at, 'restore-db', 'started');
    expect(log.mark(at, 'restore-db', 'done', { attempt: 2 })).toContain('at attempt 1, not 2');
    expect(log.mark(at, 'restore-db', 'started')).toBe('step "restore-db" is already started');
  });

  test('a step that the plan does not have is void', () => {
    expect(log.mark(at, 'nothing', 'started')).toBe('there is no step "nothing"');
  });

  test('a failed step is tried again as often as the plan says, then the run stops for a person', () => {
    log.mark(at, 'restore-db', 'started');
    log.mark(at, 'restore-db', 'failed', { detail: 'disk full' });
    expect(names()).toEqual(['restore-db']);
    expect(log.mark(at, 'restore-db', 'started', { attempt: 2 })).toBe('applied');
    log.mark(at, 'restore-db', 'failed', { attempt: 2 });
    expect(log.runOf(at.hash).state).toBe('escalated');
    expect(log.mark(at, 'restore-db', 'started', { attempt: 3 })).toBe('the run is escalated');
  });

  test('an operator lets a stopped run go on with as many attempts again', () => {
    log.mark(at, 'restore-db', 'escalated');
    expect(log.runOf(at.hash).state).toBe('escalated');
    expect(decide(at.hash, 'resume')).toBe('applied');
    expect(decide(at.hash, 'resume')).toBe('the run is running, not escalated');
    expect(names()).toEqual(['restore-db']);
    expect(log.mark(at, 'restore-db', 'started')).toBe('applied');
  });

  test('a promotion is not done before its slot is decided', () => {
    log.prove(at);
    log.mark(at, 'promote-db', 'started');
    expect(log.mark(at, 'promote-db', 'done')).toBe('"db" is not promoted yet');
  });

  test('a run whose steps are all done is done, and forgets what agents needed for it', () => {
    const steps = sampleSteps.slice(0, 2);
    const next = log.start(log.plan({ name: 'no-promotion', steps }));
    log.byOperator(grant(next.hash));
    expect(log.runOf(next.hash).grants.size).toBe(1);
    log.prove(next);
    expect(log.runOf(next.hash)).toMatchObject({ state: 'done' });
    expect(log.runOf(next.hash).grants.size).toBe(0);
    expect(log.byOperator(proposal(log.plan({ name: 'no-promotion', steps })))).toBe(
      'run 1 of this plan is done',
    );
  });

  function names(): string[] {
    return log.state.plans.runnable({ plan: at.hash, run: 1 }).map(({ id }) => id);
  }
});

function grant(plan: PlanHash, change: Partial<BodyOf<'grant'>> = {}): BodyOf<'grant'> {
  const sealed = { kind: 'inline', bytes: Uint8Array.of(1, 2) } as const;
  return {
    kind: 'grant',
    plan,
    run: 1,
    agent: bergen.agentKey,
    sealed,
    lastsMs: 86_400_000,
    ...change,
  };
}

describe('a grant', () => {
  test('the newest for each agent is kept', () => {
    const hash = log.submit();
    expect(log.byOperator(grant(hash))).toBe('applied');
    const fact = { kind: 'fact', hash: idOf(secretOf('fact')), size: 10 } as const;
    expect(log.byOperator(grant(hash, { sealed: fact as never }))).toBe('applied');
    expect(log.runOf(hash).grants.get(bergen.agentKey)?.grant.sealed).toEqual(fact);
  });

  test('only an operator gives it, only to a member, only while the run is open', () => {
    const hash = log.submit();
    expect(log.by(turku, grant(hash))).toBe('an operator must sign this');
    const agent = log.cluster.operatorKey;
    expect(log.byOperator(grant(hash, { agent }))).toBe('the agent is no member');
    decide(hash, 'cancel');
    expect(log.byOperator(grant(hash))).toBe('the run is cancelled');
  });
});

describe('rolling back', () => {
  const plan = (): RestorePlan =>
    log.plan({
      onFailure: 'roll-back',
      steps: sampleSteps.map((step) => ({ ...step, attempts: 1 })),
    });

  test('a run that fails for good undoes its steps, last first, and has failed then', () => {
    const at = log.start(plan());
    log.mark(at, 'restore-db', 'started');
    log.mark(at, 'restore-db', 'done');
    log.mark(at, 'check-db', 'started');
    log.mark(at, 'check-db', 'failed');
    expect(log.runOf(at.hash).state).toBe('rolling-back');
    expect(log.mark(at, 'restore-db', 'undone')).toBe('step "check-db" must be undone first');
    expect(log.mark(at, 'check-db', 'undone')).toBe('applied');
    expect(log.mark(at, 'check-db', 'undone')).toBe('step "check-db" is already undone');
    expect(log.mark(at, 'promote-db', 'undone')).toContain('nothing to undo');
    expect(log.mark(at, 'restore-db', 'undone')).toBe('applied');
    expect(log.runOf(at.hash).state).toBe('failed');
  });

  test('nothing is started meanwhile, and a stuck one stops for a person and keeps what is done', () => {
    const at = log.start(plan());
    log.mark(at, 'restore-db', 'started');
    log.mark(at, 'restore-db', 'done');
    expect(decide(at.hash, 'roll-back')).toBe('applied');
    expect(decide(at.hash, 'roll-back')).toBe('the run is rolling back already');
    expect(log.mark(at, 'check-db', 'started')).toBe('the run is rolling-back');
    log.mark(at, 'restore-db', 'escalated');
    expect(log.runOf(at.hash).state).toBe('escalated');
    expect(log.runOf(at.hash).steps.get('restore-db')?.state).toBe('done');
  });

  test('a run that has begun nothing has failed at once', () => {
    const at = log.start();
    decide(at.hash, 'roll-back');
    expect(log.runOf(at.hash).state).toBe('failed');
  });

  test('a promotion is never undone: operators cannot ask for it, and a failure stops instead', () => {
    const at = log.start(plan());
    log.prove(at);
    log.by(log.oslo, { kind: 'demote', dataset: log.db().dataset, incarnation: 0 });
    log.by(turku, log.promotion(at));
    expect(decide(at.hash, 'roll-back')).toContain('is being voted on: give it up first');
    log.mark(at, 'promote-db', 'failed');
    expect(log.runOf(at.hash).state).toBe('escalated');
  });

  test('an agent cannot decide it', () => {
    const at = log.start();
    for (const decision of ['cancel', 'resume', 'roll-back'] as const) {
      const body = { kind: 'plan-decision', plan: at.hash, run: 1, decision } as const;
      expect(log.by(turku, body)).toContain('must sign this');
    }
  });
});
