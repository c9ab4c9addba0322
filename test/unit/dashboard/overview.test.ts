import { describe, expect, it } from 'vitest';
import type { DatasetStatus, PeerReport, StatusReport } from '../../../src/agent/api.ts';
import { overviewOf } from '../../../src/dashboard/model/overview.ts';
import { listed, shellWord, withCommand } from '../../../src/dashboard/model/words.ts';

const names = ['ams1', 'fra1', 'nyc1', 'sfo1', 'sin1'];

function dataset(part: Partial<NonNullable<DatasetStatus['restorable']>> = {}): DatasetStatus {
  const restorable = {
    ...{ snapshot: 'ab', state: 'committed' as const, timeMs: 0, ageMs: 180_000, bytes: 1 },
    ...{ isRestorableNow: true, sites: names, sitesMayFail: 2, ...part },
  };
  return { name: 'web', id: '1', source: 'ams1', restorable, snapshots: 1, words: '' };
}

function overview(options: { away?: string[]; datasets?: DatasetStatus[]; quorum?: boolean }) {
  const { away = [], datasets = [dataset()], quorum = true } = options;
  const isAway = (name: string): boolean => away.includes(name);
  const voters = { quorum: 3, voters: 5, votersReachable: 5 - away.length, missing: away };
  const status = {
    sites: names.map((site) => ({
      site,
      region: 'eu',
      members: 1,
      reachable: isAway(site) ? 0 : 1,
    })),
    policy: { surviveSites: 2, words: '' },
    coordinator: { hasQuorum: quorum, ...voters },
    datasets,
    warnings: away.map(
      (name) => `${name} (site ${name}) is not reachable: holdfast peer show ${name}`,
    ),
  };
  const peers = names.map((name) => ({ name, state: isAway(name) ? 'unreachable' : 'connected' }));
  return overviewOf({
    status: status as unknown as StatusReport,
    peers: peers as PeerReport[],
    proposals: [],
    nowMs: 0,
  });
}

describe('the overview', () => {
  it('says yes, and has nothing to do, when all is well', () => {
    const { tone, verdict, tasks } = overview({});
    expect([tone, verdict]).toEqual(['good', 'Yes. Your dataset can be restored now.']);
    expect(tasks).toEqual([]);
  });

  it('says after the loss of a source what was lost, and how to have it back', () => {
    const sites = ['fra1', 'sfo1', 'sin1'];
    const { tone, verdict, answers, tasks } = overview({
      away: ['ams1', 'nyc1'],
      datasets: [dataset({ sites, sitesMayFail: 0 })],
    });
    expect(tone).toBe('warn');
    expect(verdict).toContain('Yes.');
    const lost = answers.find(({ question }) => question === 'What is lost?')?.answer;
    expect(lost).toBe(
      'Sites ams1 and nyc1 do not answer; no backup was lost, only what changed at ams1 after its last snapshot (3 min ago).',
    );
    expect(tasks[0]?.command).toBe('holdfast restore latest --dataset web --kit FILE -t DIR');
    // The sites were named once; their hosts' warnings would say it again.
    expect(tasks.some(({ text }) => text.includes('is not reachable'))).toBe(false);
  });

  it('says no when too few sites are left, and asks for the sites first', () => {
    const { tone, verdict, tasks } = overview({
      away: ['ams1', 'nyc1', 'sfo1'],
      datasets: [dataset({ isRestorableNow: false, sitesMayFail: -1, sites: [] })],
      quorum: false,
    });
    expect([tone, verdict]).toEqual(['bad', 'No. Your dataset cannot be restored now.']);
    expect(tasks[0]?.text).toMatch(/^Bring one of the sites ams1, nyc1 and sfo1 back/);
    expect(tasks.some(({ command }) => command === 'holdfast coordinator status')).toBe(true);
  });

  it('does not call safe what was never backed up', () => {
    const { restorable: _, ...never } = dataset();
    const { tone, verdict } = overview({ datasets: [dataset(), { ...never, name: 'db' }] });
    expect([tone, verdict]).toEqual(['bad', 'No. 1 of 2 datasets cannot be restored now.']);
  });
});

describe('words', () => {
  it('part a warning from its command', () => {
    expect(withCommand('3 shards are short: holdfast repair --dry-run')).toEqual({
      text: '3 shards are short',
      command: 'holdfast repair --dry-run',
    });
    expect(withCommand('web is late. Next: holdfast status')).toEqual({
      text: 'web is late.',
      command: 'holdfast status',
    });
    expect(withCommand('its statements are frozen')).toEqual({ text: 'its statements are frozen' });
  });

  it('list what fits, and quote what a shell would take apart', () => {
    expect(listed(['a'])).toBe('a');
    expect(listed(['a', 'b', 'c'])).toBe('a, b and c');
    expect(listed(['a', 'b', 'c', 'd'], 3)).toBe('a, b and 2 more');
    expect([shellWord('a-b'), shellWord("it's")]).toEqual(['a-b', `'it'\\''s'`]);
  });
});
