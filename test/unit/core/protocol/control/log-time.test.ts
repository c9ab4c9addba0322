import { beforeEach, describe, expect, test } from 'vitest';
import { hourMs, minuteMs } from '../../../../../src/base/units.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { beginGeneration } from '../../../../../src/core/protocol/control/new-generation.ts';
import { type SampleAgent, startMs } from '../../../../support/sample-cluster.ts';
import { bergen, riga, SampleControl, turku } from './sample-control.ts';

let log: SampleControl;

beforeEach(() => {
  log = SampleControl.full();
});

function say(agent: SampleAgent, afterMs: number): string {
  return log.by(agent, { kind: 'time', logTimeMs: startMs + afterMs });
}

function passed(): number {
  return log.state.time.nowMs === 0 ? 0 : log.state.time.nowMs - startMs;
}

describe('log time', () => {
  test('is unknown until a majority of the voters has spoken', () => {
    say(log.oslo, 5);
    expect(log.state.time.nowMs).toBe(0);
    say(bergen, 3);
    expect(passed()).toBe(3);
  });

  test('is the highest value that a majority has said or passed', () => {
    say(log.oslo, 10);
    say(bergen, 20);
    say(turku, 30);
    expect(passed()).toBe(20);
  });

  test('follows neither one voter that is ten years ahead nor one that stands still', () => {
    say(log.oslo, 87_600 * hourMs);
    say(bergen, 10);
    say(turku, 10);
    expect(passed()).toBe(10);
    say(bergen, 20);
    expect(passed()).toBe(20);
  });

  test('never falls, though a voter may take back a word', () => {
    say(log.oslo, 10);
    say(bergen, 10);
    say(bergen, 4);
    say(log.oslo, 4);
    expect(passed()).toBe(10);
    expect(log.state.time.of(bergen.agentKey)?.timeMs).toBe(startMs + 4);
  });

  test('is said by voters only, and not twice alike', () => {
    expect(say(riga, 1)).toBe('"riga-host" is not a voter');
    expect(log.byOperator({ kind: 'time', logTimeMs: startMs })).toContain('is no member');
    expect(say(turku, 1)).toBe('applied');
    expect(say(turku, 1)).toBe('this voter has said so already');
  });

  test('is a positive number', () => {
    expect(() => log.seal({ kind: 'time', logTimeMs: 0 }, [log.operator])).toThrow('log time');
  });

  test('counts the words of current voters only, and survives a change of them', () => {
    say(log.oslo, 10);
    say(bergen, 10);
    say(turku, 50);
    log.configure([log.oslo, bergen]);
    expect(passed()).toBe(10);
    expect(log.state.time.of(turku.agentKey)).toBeUndefined();
    say(log.oslo, 12);
    log.configure([log.oslo]);
    expect(passed()).toBe(12);
    log.configure([log.oslo, bergen, turku]);
    expect(passed()).toBe(12);
  });

  test('survives a decree', () => {
    say(log.oslo, 10);
    say(bergen, 10);
    const decree = log.seal(
      {
        kind: 'decree',
        generation: 2,
        voters: [bergen.agentKey],
        abandoned: [log.oslo.agentKey, turku.agentKey],
        logSize: log.index,
        rootHash: new Uint8Array(32),
        reason: 'lost',
        noticeMs: 30 * minuteMs,
        announcedMs: startMs,
      },
      [log.operator],
      { generation: 2 },
    );
    const next = beginGeneration(log.state, decree);
    expect(next.time.nowMs).toBe(startMs + 10);
    expect(next.time.words().map(({ voter }) => voter)).toEqual([bergen.agentKey]);
  });

  test('is part of the image and of the hash', () => {
    const before = log.state.hash();
    say(log.oslo, 10);
    say(bergen, 11);
    const { genesis, cluster } = log.state;
    const copy = ControlState.decode(log.state.encode(), genesis, cluster);
    expect(copy.time.words()).toEqual(log.state.time.words());
    expect(copy.time.nowMs).toBe(log.state.time.nowMs);
    expect(copy.hash()).not.toEqual(before);
  });
});

describe('a wait for log time', () => {
  const begin = () => log.state.time.begin({ generation: 1, index: log.index }, hourMs);

  test('counts from what a majority has said after its entry, not from an older log time', () => {
    for (const agent of [log.oslo, bergen, turku]) say(agent, 1);
    const wait = begin();
    say(log.oslo, hourMs + 1);
    expect(log.state.time.settled(wait).sinceMs).toBeUndefined();
    say(bergen, hourMs);
    const settled = log.state.time.settled(wait);
    // Turku is silent, and may be the one whose word would count.
    expect(settled.sinceMs).toBe(startMs + hourMs + 1);
    expect(log.state.time.isOver(settled)).toBe(false);
    for (const agent of [turku, bergen]) say(agent, 2 * hourMs + 1);
    expect(log.state.time.isOver(settled)).toBe(true);
    expect(log.state.time.settled(settled)).toEqual(settled);
  });

  test('is ended by no voter that says a time long past while another is silent', () => {
    for (const agent of [log.oslo, bergen, turku]) say(agent, 100 * hourMs);
    const wait = begin();
    say(turku, hourMs);
    say(bergen, 101 * hourMs);
    const settled = log.state.time.settled(wait);
    expect(settled.sinceMs).toBe(startMs + 101 * hourMs);
    expect(log.state.time.isOver(settled)).toBe(false);
  });

  test('is held up by a voter that says a time far ahead only until the others have spoken', () => {
    const wait = begin();
    say(turku, 9000 * hourMs);
    say(bergen, hourMs);
    const first = log.state.time.settled(wait);
    expect(first.sinceMs).toBe(startMs + 9000 * hourMs);
    say(log.oslo, hourMs + 1);
    expect(log.state.time.settled(first).sinceMs).toBe(startMs + hourMs + 1);
  });

  test('asks each voter for one word when it begins, and one when it is due', () => {
    say(turku, 1);
    const wait = begin();
    const { agentKey } = turku;
    const isAwaited = (waits: Parameters<typeof log.state.time.isAwaited>[1], afterMs: number) =>
      log.state.time.isAwaited(agentKey, waits, startMs + afterMs);
    expect(isAwaited([], 5)).toBe(false);
    expect(isAwaited([wait], 5)).toBe(true);
    say(turku, 5);
    say(bergen, 5);
    const settled = log.state.time.settled(wait);
    expect(isAwaited([settled], hourMs)).toBe(false);
    expect(isAwaited([settled], hourMs + 5)).toBe(true);
    say(turku, hourMs + 5);
    expect(isAwaited([settled], hourMs + 9)).toBe(false);
  });

  test('of an older generation is not begun by words of that one', () => {
    for (const agent of [log.oslo, bergen]) say(agent, 1);
    const wait = log.state.time.begin({ generation: 2, index: 1 }, hourMs);
    expect(log.state.time.settled(wait).sinceMs).toBeUndefined();
  });
});
