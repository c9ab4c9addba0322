import { beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../../../../../src/base/units.ts';
import type {
  BodyOf,
  CommandId,
  SequenceRange,
} from '../../../../../src/core/format/control-records.ts';
import { rangesText } from '../../../../../src/core/policy/sequence-ranges.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { type Fate, stageOf } from '../../../../../src/core/protocol/control/fate.ts';
import { type SampleAgent, sampleAgent, startMs } from '../../../../support/sample-cluster.ts';
import { bergen, commandId, dbId, riga, SampleControl, turku } from './sample-control.ts';

let log: SampleControl;
let hours: number;

beforeEach(() => {
  log = SampleControl.full();
  hours = 0;
  pass(0);
  anchor(10);
});

const writer = (): SampleAgent['agentKey'] => log.oslo.agentKey;

function headAt(sequence: number) {
  return log.manifest(sequence).head;
}

function anchor(sequence: number): void {
  log.by(log.oslo, log.manifest(sequence).body);
}

/** All voters say that so many hours have passed. */
function pass(more: number): void {
  hours += more;
  for (const agent of [log.oslo, bergen, turku]) {
    // Each says another time than before.
    log.by(agent, { kind: 'time', logTimeMs: startMs + hours * hourMs + log.index });
  }
}

const ranges = (...pairs: [number, number][]): SequenceRange[] =>
  pairs.map(([first, last]) => ({ first, last }));

function selection(...pairs: [number, number][]) {
  return { dataset: dbId, writer: writer(), ranges: ranges(...pairs), reason: 'a test' };
}

/** "applied", or why not; the id is that of the command. */
function expire(
  pairs: [number, number][],
  { by = log.oslo, at = 10 }: { by?: SampleAgent; at?: number } = {},
): { id: CommandId; outcome: string } {
  const body = { kind: 'expire', head: headAt(at), ranges: ranges(...pairs) } as const;
  const id = commandId(`expire ${log.index}`);
  const outcome = log.append(log.seal(body, [by.statementSecret], { id }));
  return { id, outcome: outcome.outcome === 'applied' ? 'applied' : outcome.reason };
}

function confirm(expiry: CommandId, by: SampleAgent): string {
  return log.by(by, { kind: 'confirm-expiry', expiry });
}

function fate(): Fate {
  const found = log.state.fates.of(writer(), dbId);
  if (found === undefined) throw new Error('nothing is decided');
  return found;
}

const stage = (sequence: number) => stageOf(log.state.fates.of(writer(), dbId), sequence);

describe('an expiry', () => {
  test('goes from proposal to veto to trash to gone, by log time alone', () => {
    const { id } = expire([
      [1, 2],
      [4, 4],
    ]);
    expect([stage(1), stage(3), stage(4)]).toEqual(['proposed', 'live', 'proposed']);
    pass(1000);
    expect(stage(1)).toBe('proposed');
    expect(confirm(id, bergen)).toBe('applied');
    pass(1);
    pass(167);
    expect(stage(1)).toBe('veto');
    pass(1);
    expect(stage(1)).toBe('trash');
    pass(1);
    pass(168);
    expect([stage(1), stage(3), stage(4)]).toEqual(['gone', 'live', 'gone']);
    expect(rangesText(fate().gone)).toBe('1 to 2, 4');
    // Peers delete in turns of 31 hours: four sites.
    expect(fate().expiries.map(({ stage: last }) => last)).toEqual(['emptying']);
    pass(1);
    pass(4 * 31);
    expect(fate().expiries).toEqual([]);
  });

  test('waits no shorter because log time was stale when it was confirmed', () => {
    const { id } = expire([[1, 1]]);
    // Only one voter has spoken for a day: log time stands.
    log.by(turku, { kind: 'time', logTimeMs: startMs + 200 * hourMs });
    confirm(id, bergen);
    log.by(log.oslo, { kind: 'time', logTimeMs: startMs + 200 * hourMs });
    expect(stage(1)).toBe('veto');
    hours = 200;
    pass(1);
    pass(166);
    expect(stage(1)).toBe('veto');
    pass(3);
    expect(stage(1)).toBe('trash');
  });

  test('is proposed by voters only, from the anchored head, and never takes the newest', () => {
    expect(expire([[1, 1]], { by: riga }).outcome).toBe('"riga-host" is not a voter');
    expect(expire([[1, 1]], { at: 9 }).outcome).toContain('another head than the anchored one');
    expect(expire([[9, 10]]).outcome).toBe('the newest anchored snapshot stays');
    expect(expire([[1, 9]]).outcome).toBe('applied');
  });

  test('is confirmed by another agent at another site, once', () => {
    const { id } = expire([[1, 1]]);
    expect(confirm(id, log.oslo)).toBe('another agent must reckon alike');
    expect(confirm(commandId('none'), bergen)).toBe('there is no such expiry');
    expect(confirm(id, bergen)).toBe('applied');
    expect(confirm(id, turku)).toBe('it was confirmed before');
  });

  test('may be confirmed by an operator only where there is no other agent', () => {
    const { id } = expire([[1, 1]]);
    const word = { kind: 'confirm-expiry', expiry: id } as const;
    expect(log.byOperator(word)).toBe('another agent must reckon alike, not an operator');
    for (const { agentKey } of [bergen, turku, riga]) {
      log.byOperator({ kind: 'expel', agent: agentKey, reason: 'sold' });
    }
    expect(log.byOperator(word)).toBe('applied');
  });

  test('is not confirmed by who neither stores nor votes, or by the same site', () => {
    const desk = sampleAgent('tromso', { roles: ['source'] });
    const twin = sampleAgent('oslo', { name: 'oslo-twin' });
    log.admit(desk);
    log.admit(twin);
    const { id } = expire([[1, 1]]);
    expect(confirm(id, desk)).toBe('"tromso-host" neither stores nor votes');
    expect(confirm(id, twin)).toBe('an agent at another site must reckon alike');
    expect(confirm(id, riga)).toBe('applied');
  });

  test('that nobody has confirmed gives way to a newer one', () => {
    const first = expire([[1, 3]]);
    expect(expire([[2, 4]]).outcome).toBe('applied');
    expect(confirm(first.id, bergen)).toBe('there is no such expiry');
    expect(stage(1)).toBe('live');
  });

  test('does not take what is on its way already', () => {
    confirm(expire([[1, 3]]).id, bergen);
    expect(expire([[3, 4]]).outcome).toBe('snapshot 3 is on its way out already');
    expect(expire([[4, 5]]).outcome).toBe('applied');
  });
});

describe('a veto', () => {
  test('by an operator takes snapshots out at any stage before they are gone', () => {
    const { id } = expire([[1, 3]]);
    confirm(id, bergen);
    expect(log.byOperator({ kind: 'undelete', ...selection([2, 2]) })).toBe('applied');
    expect([stage(1), stage(2)]).toEqual(['veto', 'live']);
    pass(1);
    pass(168);
    expect(stage(1)).toBe('trash');
    expect(log.byOperator({ kind: 'undelete', ...selection([1, 1]) })).toBe('applied');
    pass(1);
    pass(168);
    expect([stage(1), stage(2), stage(3)]).toEqual(['live', 'live', 'gone']);
    expect(log.byOperator({ kind: 'undelete', ...selection([3, 3]) })).toBe('snapshot 3 is gone');
  });

  test('keeps them out: they do not expire again until they are forgotten', () => {
    log.byOperator({ kind: 'undelete', ...selection([2, 2]) });
    expect(expire([[1, 3]]).outcome).toBe('snapshot 2 is to be kept');
    expect(log.byOperator({ kind: 'forget', ...selection([2, 2]) })).toBe('applied');
    expect(expire([[1, 3]]).outcome).toBe('applied');
  });

  test('is no matter for a source', () => {
    expect(log.by(riga, { kind: 'undelete', ...selection([1, 1]) })).toContain('operator');
  });
});

describe('what a stolen source cannot say', () => {
  const words = (): Parameters<SampleControl['by']>[1][] => [
    { kind: 'forget', ...selection([1, 1]) },
    { kind: 'unlock', ...selection([1, 1]) },
    { kind: 'release', hold: commandId('any'), reason: 'let go' },
    { kind: 'expire', head: headAt(10), ranges: ranges([1, 1]) },
    { kind: 'thaw', agent: riga.agentKey, freeze: 1 },
    { kind: 'clear-quarantine', dataset: dbId, writer: writer() },
  ];

  test('it may delete, shorten and release nothing, and wake no frozen peer', () => {
    for (const body of words()) {
      expect(log.by(riga, body), body.kind).toMatch(/must sign|is not a voter/);
    }
    expect(log.state.fates.all()).toEqual([]);
  });
});

describe('a hold', () => {
  const hold = (sequence?: number): BodyOf<'hold'> => ({
    kind: 'hold',
    dataset: dbId,
    snapshot: sequence === undefined ? undefined : { writer: writer(), sequence },
    reason: 'case 12',
  });

  test('on a snapshot or a dataset keeps it from expiring and from being forgotten', () => {
    log.byOperator(hold(2));
    expect(expire([[1, 3]]).outcome).toBe('snapshot 2 is held: case 12');
    expect(log.byOperator({ kind: 'forget', ...selection([2, 2]) })).toContain('is held');
    expect(expire([[3, 3]]).outcome).toBe('applied');
    log.byOperator(hold());
    expect(expire([[4, 4]]).outcome).toBe('the dataset is held: case 12');
  });

  test('takes what it covers out of the trash', () => {
    confirm(expire([[1, 3]]).id, bergen);
    pass(1);
    pass(168);
    expect(stage(2)).toBe('trash');
    log.byOperator(hold(2));
    expect([stage(1), stage(2)]).toEqual(['trash', 'live']);
    log.byOperator(hold());
    expect(stage(1)).toBe('live');
  });

  test('is ended by operators only', () => {
    log.byOperator(hold());
    const [held] = log.state.holds.all();
    if (held === undefined) throw new Error('there is a hold');
    expect(held.sinceMs).toBeGreaterThanOrEqual(startMs);
    const release = { kind: 'release', hold: held.id, reason: 'closed' } as const;
    expect(log.by(bergen, release)).toContain('must sign this');
    expect(log.byOperator(release)).toBe('applied');
    pass(1);
    pass(71);
    expect(log.state.holds.all()).toHaveLength(1);
    pass(1);
    expect(log.state.holds.all()).toEqual([]);
    expect(expire([[1, 1]]).outcome).toBe('applied');
  });
});

describe('a quarantine', () => {
  const mark = { kind: 'quarantine', dataset: dbId, reason: 'over its budget' } as const;

  test('stops all expiry of the dataset until an operator has looked', () => {
    const { id } = expire([[1, 1]]);
    confirm(id, bergen);
    expect(log.by(bergen, { ...mark, writer: writer(), sequence: 8 })).toBe('applied');
    expect(stage(1)).toBe('live');
    expect(expire([[1, 1]]).outcome).toBe('the dataset is in quarantine');
    expect(log.by(bergen, { ...mark, writer: writer(), sequence: 9 })).toBe('it is in quarantine');
    const clear = { kind: 'clear-quarantine', dataset: dbId, writer: writer() } as const;
    expect(log.byOperator(clear)).toBe('applied');
    expect(expire([[1, 1]]).outcome).toBe('applied');
  });
});

describe('an unlock', () => {
  test('of governance locks counts after the delay of the policy', () => {
    expect(log.byOperator({ kind: 'unlock', ...selection([1, 4]) })).toBe('applied');
    pass(1);
    pass(71);
    expect(log.state.fates.all()).toEqual([]);
    pass(1);
    expect(rangesText(fate().unlocked)).toBe('1 to 4');
    const again = { kind: 'unlock', ...selection([2, 3]) } as const;
    expect(log.byOperator(again)).toBe('snapshot 2 to 3 is unlocked already');
    log.byOperator({ kind: 'undelete', ...selection([1, 1]) });
    expect(rangesText(fate().unlocked)).toBe('2 to 4');
  });
});

test('images give back every fate, hold and thaw', () => {
  confirm(expire([[1, 3]]).id, bergen);
  pass(1);
  pass(168);
  expire([[5, 6]]);
  log.byOperator({ kind: 'forget', ...selection([4, 4]) });
  log.byOperator({
    kind: 'hold',
    dataset: dbId,
    snapshot: { writer: writer(), sequence: 7 },
    reason: 'x',
  });
  log.byOperator({ kind: 'thaw', agent: bergen.agentKey, freeze: 3 });
  const { genesis, cluster } = log.state;
  const copy = ControlState.decode(log.state.encode(), genesis, cluster);
  expect(copy.fates.all()).toEqual(log.state.fates.all());
  expect(copy.holds.all()).toEqual(log.state.holds.all());
  expect(copy.thaws.of(bergen.agentKey)).toBe(3);
  expect(log.byOperator({ kind: 'thaw', agent: bergen.agentKey, freeze: 3 })).toContain('before');
  expect(log.state.waits().length).toBe(1);
});
