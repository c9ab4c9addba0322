import { beforeEach, describe, expect, test } from 'vitest';
import type { DataAgent } from '../../../../sim/data/agent.ts';
import type { DataCluster } from '../../../../sim/data/cluster.ts';
import { metricsApi } from '../../../../src/agent/metrics/metrics-api.ts';
import { KiB, minuteMs, secondMs } from '../../../../src/base/units.ts';
import { peacefulAgents } from '../../../support/peaceful-agents.ts';
import { ToldPeople } from '../../../support/told-people.ts';

let cluster: DataCluster;
const agents = peacefulAgents();
const people = new ToldPeople(agents);
beforeEach(() => {
  ({ cluster } = agents());
});

const host = (name: string): DataAgent => people.host(name);
const standing = (name: string): string[] => people.standing(name);
const until = (isSo: () => boolean, withinMs: number): Promise<number> =>
  people.until(isSo, withinMs);
const backUp = (name: string): Promise<void> => people.backUp(name);

async function metric(name: string, line: string): Promise<string | undefined> {
  const { agent } = host(name);
  if (agent === undefined) throw new Error(`${name} does not run`);
  const { text } = await metricsApi(agent).metrics();
  return text
    .split('\n')
    .find((one) => one.startsWith(line))
    ?.slice(line.length)
    .trim();
}

describe('people are told, and told that it is over', () => {
  test('when nothing can be decided, and when a dataset cannot be restored, also over a restart', async () => {
    await backUp('bob');
    const away = ['ada', 'cyd', 'dan'].map(host);
    for (const agent of away) agent.crash();
    await cluster.world.advance(50 * secondMs);
    expect(standing('bob')).toEqual([]);
    await cluster.world.advance(30 * secondMs);
    expect(standing('bob')).toEqual(['no-quorum control log']);
    expect(await metric('bob', 'holdfast_control_quorum')).toBe('0');
    await cluster.world.advance(5 * minuteMs);
    const [, restorable] = standing('bob');
    expect(restorable).toMatch(/^not-restorable /);
    expect(await metric('bob', 'holdfast_dataset_restorable{dataset="bob",source="bob"}')).toBe(
      '0',
    );
    const before = host('bob').agent?.alarms.all();
    host('bob').crash();
    host('bob').startAgain();
    await cluster.world.advance(30 * secondMs);
    expect(host('bob').agent?.alarms.all()).toEqual(before);
    for (const agent of away) agent.startAgain();
    await until(() => standing('bob').length === 0, 2 * minuteMs);
    expect(standing('bob')).toEqual([]);
    expect(await metric('bob', 'holdfast_control_quorum')).toBe('1');
    expect(await metric('bob', 'holdfast_dataset_restorable{dataset="bob",source="bob"}')).toBe(
      '1',
    );
  });

  test('when a clock is wrong, and whose', async () => {
    host('cyd').skewMs = 10 * minuteMs;
    const told = (name: string): boolean => standing(name).length > 0;
    await until(() => told('ada') && told('cyd'), 10 * minuteMs);
    expect(standing('ada')).toEqual(['clock-wrong cyd']);
    expect(standing('cyd')).toEqual(['clock-wrong cyd']);
    host('cyd').skewMs = 0;
    await until(() => standing('ada').length === 0 && standing('cyd').length === 0, 5 * minuteMs);
    expect([...standing('ada'), ...standing('cyd')]).toEqual([]);
  });

  test('when a shard was damaged on a disk, and when it is made anew', async () => {
    await backUp('bob');
    const { shards } = host('cyd').disk;
    const [name, file] = [...shards.files].find(([, { bytes }]) => bytes.length > 0) ?? [];
    if (name === undefined || file === undefined) throw new Error('cyd holds nothing');
    shards.harm(name);
    file.bytes = file.bytes.map((byte) => byte ^ 1);
    host('cyd').agent?.upkeep.scrub?.begin();
    await until(() => standing('cyd').length > 0, 5 * minuteMs);
    expect(standing('cyd').map((one) => one.split(' ')[0])).toContain('shard-damaged');
    expect(await metric('cyd', 'holdfast_scrub_damaged_shards_total')).toBe('1');
    await until(() => standing('cyd').length === 0, 10 * minuteMs);
    expect(standing('cyd')).toEqual([]);
  });

  test('when a dataset was never backed up, when its last backup is too long ago, and when there is one', async () => {
    expect(await people.rule({ datasets: [{ match: '*', objectives: { rpo: '3m' } }] })).toBe(
      'applied',
    );
    await cluster.world.advance(2 * minuteMs);
    expect(standing('bob')).toEqual([]);
    await cluster.world.advance(2 * minuteMs);
    expect(standing('bob')).toEqual(['never-backed-up bob']);
    await backUp('bob');
    await until(() => standing('bob').length === 0, minuteMs);
    await cluster.world.advance(minuteMs);
    expect(standing('bob')).toEqual([]);
    await cluster.world.advance(3 * minuteMs);
    expect(standing('bob')).toEqual([expect.stringMatching(/^backup-late /)]);
    // Only its own host knows what was never begun.
    expect(standing('ada')).toEqual(['never-backed-up ada', ...standing('bob')]);
    await backUp('bob');
    await until(() => standing('bob').length === 0 && standing('ada').length === 1, minuteMs);
    expect(standing('ada')).toEqual(['never-backed-up ada']);
  });

  test('when a disk takes nearly nothing more, and when there is room again', async () => {
    await backUp('bob');
    const { capacity } = host('cyd').options;
    const usage = host('cyd').agent?.store?.usage();
    Object.assign(host('cyd').options, { capacity: (usage?.bytes ?? 0) + 100 * KiB });
    await until(() => standing('cyd').length > 0, minuteMs);
    expect(standing('cyd')).toEqual(['disk-full cyd']);
    Object.assign(host('cyd').options, { capacity });
    await until(() => standing('cyd').length === 0, minuteMs);
    expect(standing('cyd')).toEqual([]);
  });

  test('when more sites are lost than the code bears, and when they come back', async () => {
    await backUp('bob');
    const away = ['cyd', 'dan'].map(host);
    for (const agent of away) agent.crash();
    await cluster.world.advance(14 * minuteMs);
    expect(standing('ada').map((one) => one.split(' ')[0])).toEqual(['not-restorable']);
    await until(() => standing('ada').length > 3, 3 * minuteMs);
    expect(standing('bob')).toContain('site-lost site-dan');
    expect(await metric('bob', 'holdfast_site_lost{site="site-dan"}')).toBe('1');
    const kinds = standing('ada').map((one) => one.split(' ')[0]);
    expect(kinds.sort()).toEqual(['data-lost', 'not-restorable', 'site-lost', 'site-lost']);
    expect(Number(await metric('ada', 'holdfast_packs{state="lost"}'))).toBeGreaterThan(0);
    for (const agent of away) agent.startAgain();
    await until(() => standing('ada').length === 0, 10 * minuteMs);
    expect(standing('ada')).toEqual([]);
    expect(await metric('ada', 'holdfast_packs{state="lost"}')).toBe('0');
    expect(await metric('bob', 'holdfast_site_lost{site="site-dan"}')).toBe('0');
  });
});
