import { describe, expect, it } from 'vitest';
import type { BandwidthReport } from '../../../src/agent/bandwidth-types.ts';
import type { DatasetStats, StatsReport } from '../../../src/agent/stats-types.ts';
import type { ValidateEvent, ValidateRequest } from '../../../src/agent/validate-types.ts';
import type { DrillReport } from '../../../src/core/policy/drill-report.ts';
import { jsonLines, run, stream, withAgent } from './fake-world.ts';

const dataset: DatasetStats = {
  ...{ name: 'docs', id: '01'.repeat(16), source: 'ams1', snapshots: 2 },
  ...{ restoredBytes: 100 * 2 ** 20, packs: 3, packBytes: 20 * 2 ** 20 },
  ...{
    dataPackBytes: 20 * 2 ** 20,
    storedBytes: 30 * 2 ** 20,
    oldCodeBytes: 0,
    expansion: 1.5,
    deadPackBytes: 0,
  },
  content: { chunks: 9, chunkBytes: 40 * 2 ** 20, frameBytes: 20 * 2 ** 20 },
};

function statsOf(one: DatasetStats): StatsReport {
  const peer = { name: 'ams1', site: 'ams1', signedBytes: 2 ** 20, reserveBytes: 2 ** 30 };
  return { datasets: [one], peers: [peer], missingLists: 0 };
}

describe('stats', () => {
  it('says apart what full copies cost', async () => {
    const hot = { ...dataset, expansion: 2.5, hotExpansion: 1 };
    const { out } = await run(['stats'], {
      backend: withAgent({ stats: async () => statsOf(hot) }),
    });
    expect(out).toContain('1.50x +1.00x hot');
  });

  it('says how often, how small, how many times and where to look for the rest', async () => {
    const backend = withAgent({ stats: async () => statsOf(dataset) });
    const { code, out, err } = await run(['stats'], { backend });
    expect(code).toBe(0);
    expect(out).toMatch(/docs +2 +100 MiB +40.0 MiB +2.50x +2.00x +20.0 MiB +30.0 MiB +1.50x +-/);
    expect(out).toMatch(/ams1 +ams1 +1.00 MiB +- +none +- +1.00 GiB/);
    expect(err).toContain('holdfast stats --kit FILE');
  });

  it('knows nothing of the content of other sources, and says who does', async () => {
    const { content: _, ...foreign } = dataset;
    const backend = withAgent({ stats: async () => statsOf(foreign) });
    const { out, err } = await run(['stats'], { backend });
    expect(out).toMatch(/docs +2 +100 MiB +- +- +-/);
    expect(err).toContain('docs (ams1)');
    const json = await run(['stats', '--json'], { backend });
    expect(jsonLines(json.out).map((line) => line.message_type)).toEqual([
      ...['dataset_stats', 'peer_stats', 'summary'],
    ]);
  });
});

describe('limit', () => {
  const moved = { restore: 0, repair: 0, backup: 2 ** 20, messages: 7 };
  const report: BandwidthReport = {
    upload: { limit: 2 ** 21, origin: 'said', moved },
    download: { limit: 0, origin: 'configured', moved },
    ...{ load: 8, careShare: 0.0625 },
  };

  it('shows what is moved and how busy the host is', async () => {
    const backend = withAgent({ bandwidth: async () => report });
    const { code, out } = await run(['limit'], { backend });
    expect(code).toBe(0);
    expect(out).toMatch(/upload +2.00 MiB\/s, until the agent stops +0 B +0 B +1.00 MiB +7 B/);
    expect(out).toContain('slowed to 6 %');
  });

  it('changes what is named alone, and wants a unit', async () => {
    const wishes: object[] = [];
    const limitBandwidth = async (wish: object): Promise<BandwidthReport> => {
      wishes.push(wish);
      return report;
    };
    const backend = withAgent({ limitBandwidth, bandwidth: async () => report });
    await run(['limit', '--upload', '2MiB'], { backend });
    await run(['limit', '--download', 'none'], { backend });
    await run(['limit', '--reset'], { backend });
    expect(wishes).toEqual([{ upload: 2 ** 21 }, { download: 0 }, {}]);
    for (const rate of ['2048', '1KiB', 'fast']) {
      const { code, err } = await run(['limit', '--upload', rate], { backend });
      expect(code).toBe(2);
      expect(err).toContain('with a unit');
    }
    expect(wishes).toHaveLength(3);
  });
});

describe('validate', () => {
  function validating(outcome: DrillReport['outcome'], id?: string) {
    const asked: ValidateRequest[] = [];
    const finding = {
      type: 'finding',
      check: 'locks',
      subject: 'docs',
      detail: 'no lock',
    } as const;
    const report = {
      ...{ outcome, startedMs: 0, endedMs: 2000, kind: 'validation' },
      criteria: [{ name: 'locks', isMet: outcome !== 'failed', detail: '3 locks' }],
      validation: { snapshots: 4, findingCount: 1, peersSilent: ['nyc1'] },
    } as unknown as DrillReport;
    const validate = (request: ValidateRequest): AsyncIterable<ValidateEvent> => {
      asked.push(request);
      const end = { type: 'report', report, ...(id !== undefined && { id }) } as const;
      return outcome === 'failed'
        ? stream<ValidateEvent>(finding, end)
        : stream<ValidateEvent>(end);
    };
    return { backend: withAgent({ validate }), asked };
  }

  it('ends with 0 when all is well, and says under which name it was signed', async () => {
    const { backend, asked } = validating('passed', 'abcdef01'.repeat(8));
    const { code, out } = await run(['validate', '--read-data-subset', '5%'], { backend });
    expect(code).toBe(0);
    expect(asked).toEqual([{ decodeShare: 0.05 }]);
    expect(out).toContain('signed as abcdef01: holdfast drill show abcdef01');
  });

  it('ends with 23 when something is wrong, and names it', async () => {
    const { backend } = validating('failed');
    const { code, out, err } = await run(['validate'], { backend });
    expect(code).toBe(23);
    expect(out).toContain('locks: docs: no lock');
    expect(out).toContain('not signed: this host has not the role auditor');
    expect(err).toContain('1 finding');
  });

  it('ends with 3 when somebody could not be asked, and refuses a part that is none', async () => {
    const { backend } = validating('missed');
    const { code, out } = await run(['validate'], { backend });
    expect(code).toBe(3);
    expect(out).toContain('not asked: nyc1');
    expect((await run(['validate', '--read-data-subset', '7'], { backend })).code).toBe(2);
  });
});

describe('target list', () => {
  const warm = { shards: 7, bytes: 20 * 2 ** 20, freeBytes: 2 ** 30 };
  const words = 'hot: full copy at ams1, 100 %';
  const copy = { dataset: 'docs', site: 'ams1', packs: 7, copied: 7, missingBytes: 0, words };
  const stores = { warm, hot: { shards: 11, bytes: 2 ** 20 }, copies: [copy] };
  const backend = withAgent({ stores: async () => stores });

  it('shows full copies beside what is kept for good, and how far they are', async () => {
    const { code, out } = await run(['target', 'list'], { backend });
    expect(code).toBe(0);
    expect(out).toMatch(/hot +11 +1.00 MiB +full copies on this host's disk/);
    expect(out).toMatch(/warm +7 +20.0 MiB/);
    expect(out).toContain(`docs: ${words}`);
    const [line] = jsonLines((await run(['target', 'list', '--json'], { backend })).out);
    expect(line).toMatchObject({ copies: [{ copied: 7, missing_bytes: 0 }] });
  });
});
