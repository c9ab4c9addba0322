import { describe, expect, it } from 'vitest';
import { Output } from '../../../src/cli/output.ts';
import { Progress, type ProgressSample } from '../../../src/cli/progress.ts';
import { jsonLines, Recording } from './fake-world.ts';

const MiB = 2 ** 20;

type Mode = { isTty?: boolean; isJson?: boolean; isQuiet?: boolean; intervalMs?: number };

function watch(mode: Mode) {
  const stdout = new Recording();
  const stderr = new Recording();
  const clock = { nowMs: 1_000_000 };
  const output = new Output({
    stdout,
    stderr,
    isTty: mode.isTty ?? false,
    isColored: false,
    isJson: mode.isJson ?? false,
    isQuiet: mode.isQuiet ?? false,
    columns: () => 120,
  });
  const progress = new Progress(output, {
    nowMs: () => clock.nowMs,
    intervalMs: mode.intervalMs,
    defaultIntervalMs: 10_000,
  });
  /** Moves 100 MiB in 25 s, a sample every 50 ms. */
  const work = async (): Promise<void> => {
    for (let step = 0; step <= 500; step++) {
      await progress.update(sampleOf(step));
      clock.nowMs += 50;
    }
    await progress.end();
  };
  return { stdout, output, progress, work, clock };
}

function sampleOf(step: number): ProgressSample {
  return {
    unit: 'bytes',
    done: (step * MiB) / 5,
    total: 100 * MiB,
    files: { done: step, total: 500 },
    current: `/srv/${'deep/'.repeat(30)}file-${step}`,
    json: { files_done: step },
  };
}

describe('on a terminal', () => {
  it('redraws one line with bar, share, rate, time left and the end of the current path', async () => {
    const { stdout, work } = watch({ isTty: true });
    await work();
    expect(stdout.text).not.toContain('\n');
    const frames = stdout.text.split('\r\u001b[2K').slice(1);
    expect(frames.at(-1)).toBe('');
    expect(frames.length).toBe(252);
    const middle = frames[125] ?? '';
    expect(middle).toMatch(/^\[#{10}\.{10}\] {2}0:13 {2}50\.0% {2}50\.0 MiB of 100 MiB/);
    expect(middle).toMatch(/4\.00 MiB\/s {2}ETA 0:13 {2}….*file-250$/);
    for (const frame of frames) expect(frame.length).toBeLessThan(120);
  });

  it('shows the end of a path that does not fit', async () => {
    const { stdout, progress } = watch({ isTty: true });
    await progress.update({ ...sampleOf(3), files: { done: 3 } });
    expect(stdout.text).toMatch(/…[^…]*file-3$/);
  });

  it('draws no bar while the total is unknown', async () => {
    const { stdout, progress } = watch({ isTty: true });
    const { total: _, ...sample } = sampleOf(5);
    await progress.update(sample);
    expect(stdout.text).not.toContain('[#');
    expect(stdout.text).not.toContain('%');
    expect(stdout.text).toContain('1.00 MiB');
  });

  it('makes way for other lines', async () => {
    const { stdout, output, progress } = watch({ isTty: true });
    await progress.update(sampleOf(1));
    const before = stdout.text.length;
    await output.print('a line');
    expect(stdout.text.slice(before)).toBe('\r\u001b[2Ka line\n');
  });
});

describe('elsewhere', () => {
  it('prints a line every 10 seconds, and none for short work', async () => {
    const { stdout, work } = watch({});
    await work();
    const lines = stdout.text.split('\n').filter((line) => line !== '');
    expect(lines).toEqual([
      '0:10  40.0%  40.0 MiB of 100 MiB  200 of 500 files  4.00 MiB/s  ETA 0:15',
      '0:20  80.0%  80.0 MiB of 100 MiB  400 of 500 files  4.00 MiB/s  ETA 0:05',
    ]);
  });

  it('keeps to the interval that is asked for', async () => {
    const { stdout, work } = watch({ intervalMs: 5000 });
    await work();
    expect(stdout.text.trim().split('\n').length).toBe(5);
  });

  it('counts packs where there are no bytes', async () => {
    const { stdout, progress, clock } = watch({});
    clock.nowMs += 10_000;
    await progress.update({ unit: 'packs', done: 3, total: 12, current: 'b', json: {} });
    expect(stdout.text).toBe('0:10  25.0%  3 of 12 packs\n');
  });
});

it('is JSON lines with --json, once a second', async () => {
  const { stdout, work } = watch({ isJson: true, isTty: true });
  await work();
  const lines = jsonLines(stdout.text);
  expect(lines.length).toBe(26);
  expect(lines[10]).toEqual({
    message_type: 'status',
    seconds_elapsed: 10,
    seconds_remaining: 15,
    percent_done: 0.4,
    files_done: 200,
  });
});

it('is silent with --quiet', async () => {
  for (const isTty of [true, false]) {
    const { stdout, work } = watch({ isQuiet: true, isTty });
    await work();
    expect(stdout.text).toBe('');
  }
});

it('tells a stall by the rate of the last seconds', async () => {
  const { stdout, progress, clock } = watch({ intervalMs: 1000 });
  await progress.update({ unit: 'bytes', done: 0, total: 10, current: '', json: {} });
  for (let second = 0; second < 40; second++) {
    clock.nowMs += 1000;
    await progress.update({ unit: 'bytes', done: 5, total: 10, current: '', json: {} });
  }
  expect(stdout.text.trim().split('\n').at(-1)).toBe('0:40  50.0%  5 B of 10 B  0 B/s');
});
