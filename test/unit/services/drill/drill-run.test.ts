import { appendFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stagingAreas } from '../../../../src/adapters/fs/staging-area.ts';
import { systemClock } from '../../../../src/adapters/system/runtime.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import type { ProbeRunner } from '../../../../src/ports/probe.ts';
import type { StagingAreas } from '../../../../src/ports/staging.ts';
import {
  type DrillEvent,
  type DrillOrder,
  type DrillResult,
  runDrill,
} from '../../../../src/services/drill/drill-run.ts';
import type { ManifestRecord } from '../../../../src/services/ledger.ts';
import { splitPath } from '../../../../src/services/snapshot-reader.ts';
import { buildSnapshot, directory, file } from '../../../support/build-snapshot.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const entry = { ...owner, mtimeNs: 1_700_000_000_123_456_789n };
const tree = {
  a: file(200_000, 1, { entry }),
  docs: directory({ b: file(70_000, 2, { entry }), c: file(10, 3, { entry }) }, entry),
};

let scratch: ReturnType<typeof scratchDirectory>;

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(() => scratch[Symbol.asyncDispose]());

const silent: ProbeRunner = { run: async () => ({ isHealthy: true, detail: '' }) };

async function drill(
  change: Partial<DrillOrder> = {},
  parts: { probes?: ProbeRunner; staging?: StagingAreas; signal?: AbortSignal } = {},
): Promise<{ events: DrillEvent[]; result: DrillResult | undefined }> {
  const clock = systemClock();
  const snapshot = await buildSnapshot(tree, { clock });
  const packs = snapshot.packReader();
  const reader = await snapshot.open(packs);
  const record = { hash: 'ab'.repeat(32), manifest: reader.manifest } as ManifestRecord;
  const frames = { [Symbol.asyncDispose]: async () => undefined } as never;
  const order: DrillOrder = {
    path: [],
    seed: new Uint8Array(32),
    bytesMax: 2 ** 40,
    checks: [],
    runsCommands: false,
    keeps: false,
    ...change,
  };
  const events: DrillEvent[] = [];
  const run = runDrill({
    order,
    beganMs: clock.monotonicMs(),
    opened: { reader, packs, frames, record },
    staging: stagingAreas({ parent: scratch.path, reserveBytes: 0 }),
    probes: silent,
    clock,
    signal: new AbortController().signal,
    ...parts,
  });
  for await (const event of run) events.push(event);
  const done = events.find((event) => event.type === 'done');
  return { events, result: done?.result };
}

describe('a drill', () => {
  test('restores all of it, compares every digest with the disk, measures, and leaves nothing', async () => {
    const { result, events } = await drill();
    expect(events.filter(({ type }) => type === 'problem')).toEqual([]);
    expect(result).toMatchObject({
      scope: 'all',
      restored: { files: 3, directories: 1, bytes: 270_010, lost: 0, problems: 0 },
      fidelity: { entries: 4, bytes: 270_010, mismatches: 0 },
      isRtoReckoned: false,
    });
    expect(result?.fidelity.chunks).toBeGreaterThanOrEqual(3);
    expect(result?.times.firstByteMs).toBeTypeOf('number');
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('sees what is changed on the disk after it was written', async () => {
    const areas = stagingAreas({ parent: scratch.path, reserveBytes: 0 });
    const staging: StagingAreas = {
      open: async (need) => {
        const area = await areas.open(need);
        const { look } = area;
        area.look = () => {
          // One byte of a, and the whole of c.
          writeFileSync(join(area.path, 'a'), Buffer.from([1]), { flag: 'r+' });
          appendFileSync(join(area.path, 'docs', 'c'), 'x');
          return look.call(area);
        };
        return area;
      },
    };
    const { result, events } = await drill({}, { staging });
    expect(result?.fidelity.mismatches).toBeGreaterThanOrEqual(2);
    const paths = events.flatMap((event) => (event.type === 'problem' ? [event.path] : []));
    expect(paths).toContain('/a');
    expect(paths).toContain('/docs/c');
  });

  test('of a path restores what is below it', async () => {
    const { result } = await drill({ path: splitPath(utf8('/docs')) });
    expect(result).toMatchObject({ scope: 'path', restored: { files: 2 } });
  });

  test('of a sample reckons how long all of it would take', async () => {
    const { result } = await drill({ sampleBytes: 135_000 });
    expect(result?.scope).toBe('sample');
    expect(result?.restored.files).toBeLessThan(4);
  });

  test('asks whether it is well, of files where they lie now', async () => {
    const asked: string[] = [];
    const probes: ProbeRunner = {
      run: async (probe) => {
        asked.push(JSON.stringify(probe));
        return { isHealthy: false, detail: 'no' };
      },
    };
    const checks = [
      { kind: 'digest', file: '/docs/c', sha256: '0'.repeat(64) },
      { kind: 'command', argv: ['/bin/true', '{staging}/a'] },
    ] as const;
    const { result } = await drill({ checks }, { probes });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain(join(scratch.path, 'drill-'));
    expect(result?.checks.map(({ outcome }) => outcome)).toEqual(['sick', 'skipped']);
    await drill({ checks, runsCommands: true }, { probes });
    expect(asked.at(-1)).toContain('/files/a');
  });

  test('stages no more than it may, and leaves nothing when it stops', async () => {
    const refused = await drill({ bytesMax: 100_000 }).catch(codeOf);
    expect(refused).toBe('limit-exceeded');
    const path = splitPath(utf8('/docs'));
    const stopped = await drill({ path, bytesMax: 20_000 }).catch(codeOf);
    expect(stopped).toBe('limit-exceeded');
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('leaves nothing when it is interrupted', async () => {
    const signal = AbortSignal.abort(new Error('Ctrl-C'));
    await expect(drill({}, { signal })).rejects.toThrow('Ctrl-C');
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('keeps the files when somebody wants to look at them', async () => {
    const { result } = await drill({ keeps: true });
    expect(existsSync(join(result?.staged ?? '', 'docs', 'c'))).toBe(true);
  });
});

describe('a staging area', () => {
  test('does not begin when the disk could not hold it', async () => {
    const areas = stagingAreas({ parent: scratch.path, reserveBytes: 0 });
    await expect(areas.open({ bytes: 2 ** 60, files: 1 })).rejects.toMatchObject({
      code: 'disk-full',
    });
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('removes what drills that were killed have left, and nothing else', async () => {
    const areas = stagingAreas({ parent: scratch.path, reserveBytes: 0 });
    await (await areas.open({ bytes: 1, files: 1 })).target[Symbol.asyncDispose]();
    writeFileSync(join(scratch.path, 'drill-4194999-0123456789ab'), '');
    writeFileSync(join(scratch.path, 'mine'), '');
    const area = await areas.open({ bytes: 1, files: 1 });
    await area[Symbol.asyncDispose]();
    const left = readdirSync(scratch.path);
    expect(left).toContain('mine');
    expect(left).not.toContain('drill-4194999-0123456789ab');
  });
});
