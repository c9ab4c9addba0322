import { beforeEach, describe, expect, test } from 'vitest';
import type { DataCluster } from '../../../../sim/data/cluster.ts';
import { dayMs, minuteMs, secondMs } from '../../../../src/base/units.ts';
import { peacefulAgents } from '../../../support/peaceful-agents.ts';
import { ToldPeople } from '../../../support/told-people.ts';

let cluster: DataCluster;
const agents = peacefulAgents();
const people = new ToldPeople(agents);
beforeEach(() => {
  ({ cluster } = agents());
});

/** Until people at a host are told of such a thing; they must be. */
async function told(name: string, kind: string, withinMs: number): Promise<void> {
  await people.until(() => people.kinds(name).includes(kind), withinMs);
  expect(people.kinds(name)).toContain(kind);
}

/** Until they are told that it is over; they must be. */
async function over(name: string, kind: string, withinMs: number): Promise<void> {
  await people.until(() => !people.kinds(name).includes(kind), withinMs);
  expect(people.kinds(name)).not.toContain(kind);
}

describe('people are told of what looks like somebody else at work', () => {
  test('when a clock was moved by days, and that nothing is deleted there until an operator has looked', async () => {
    const cyd = people.host('cyd');
    cyd.skewMs = 3 * dayMs;
    await told('cyd', 'deletion-frozen', minuteMs);
    cyd.skewMs = 0;
    await cluster.world.advance(minuteMs);
    expect(people.kinds('cyd')).toContain('deletion-frozen');
    const freeze = cyd.agent?.keeping.hostClock.freeze?.number ?? 0;
    const body = { kind: 'thaw', agent: cyd.agentKey, freeze } as const;
    expect(await people.decide(body)).toBe('applied');
    await over('cyd', 'deletion-frozen', minuteMs);
  });
});

/** Ada asks all peers for leaves, which she does every hour or so, and once more before she blames somebody. */
async function ask(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    void people.host('ada').agent?.upkeep.challenger.round();
    await cluster.world.advance(4 * minuteMs);
  }
}

describe('people are told of what storage peers have lost', () => {
  test('by itself, when shards that a host has signed for are gone from its disk, until they are made anew', async () => {
    await people.backUp('bob');
    const { shards } = people.host('cyd').disk;
    expect(shards.files.size).toBeGreaterThan(0);
    shards.empty();
    await told('cyd', 'shards-gone', 10 * minuteMs);
    await over('cyd', 'shards-gone', 30 * minuteMs);
    expect(shards.files.size).toBeGreaterThan(0);
  });

  test('by others, when it says that it has them and cannot show them, until it takes that back', async () => {
    const cyd = people.host('cyd');
    cluster.suspect(cyd);
    cyd.crash();
    cyd.lie = 'forgets';
    cyd.startAgain();
    await cluster.world.advance(30 * secondMs);
    await people.backUp('bob');
    await ask();
    await told('ada', 'peer-failing', minuteMs);
    cyd.crash();
    cyd.lie = undefined;
    cyd.startAgain();
    await cluster.world.advance(2 * minuteMs);
    await ask();
    await over('ada', 'peer-failing', 10 * minuteMs);
  });
});
