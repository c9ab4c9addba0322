import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hourMs, minuteMs } from '../../../../src/base/units.ts';
import { TimeKeeper } from '../../../../src/services/control/time-keeper.ts';
import { ControlGroup } from '../../../support/control-group.ts';

let group: ControlGroup;
let stop: AbortController;
/** How far each host's conservative time is off; undefined: it does not know. */
let offsets: (number | undefined)[];

beforeEach(async () => {
  stop = new AbortController();
  offsets = [0, 0, 0];
  group = new ControlGroup(3);
  for (let i = 0; i < 3; i++) await group.start(i);
  const isReady = () => group.running().every(({ control }) => votersOf(control).length === 3);
  await group.until(() => isReady() && group.leader() !== undefined, 'all three vote');
});

afterEach(async () => {
  stop.abort(new Error('stopped'));
  await group[Symbol.asyncDispose]();
});

type Control = ReturnType<ControlGroup['at']>['control'];

function votersOf(control: Control) {
  return control.status().config.voters;
}

function keep(hosts = [0, 1, 2]): void {
  for (const i of hosts) {
    const { control, host } = group.at(i);
    const { clock } = group;
    const time = {
      nowMs: () => (offsets[i] === undefined ? undefined : clock.nowMs() + offsets[i]),
    };
    void new TimeKeeper({ control, time, clock, log: host.logger }).run({ signal: stop.signal });
  }
}

function logTime(): number {
  return group.at(0).control.state.time.nowMs;
}

describe('voters', () => {
  test('say their time at once, then hourly', async () => {
    keep();
    await group.until(() => group.at(0).control.state.time.words().length === 3, 'all have said');
    const first = logTime();
    // By then the voters are vouched for as well.
    await group.clock.advance(10_000);
    const { commandCount } = group.at(0).control.state.position;
    await group.clock.advance(30 * minuteMs);
    expect(group.at(0).control.state.position.commandCount).toBe(commandCount);
    await group.clock.advance(31 * minuteMs);
    expect(logTime()).toBeGreaterThanOrEqual(first + hourMs);
    expect(group.at(0).control.state.position.commandCount).toBe(commandCount + 3);
  });

  test('say nothing while they do not know the time, and take back what was wrong', async () => {
    offsets = [undefined, 10 * hourMs, 0];
    keep();
    const wordOf = (i: number) => group.at(0).control.state.time.of(group.keyOf(i))?.timeMs;
    await group.until(() => wordOf(1) !== undefined && wordOf(2) !== undefined, 'two have said');
    expect(wordOf(0)).toBeUndefined();
    expect(logTime()).toBeLessThanOrEqual(group.clock.nowMs());
    offsets[1] = 0;
    await group.until(() => (wordOf(1) ?? 0) <= group.clock.nowMs(), 'it takes its word back');
  });
});
