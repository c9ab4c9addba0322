import { describe, expect, it } from 'vitest';
import type { SuspectReport } from '../../../src/agent/tripwire-types.ts';
import { jsonLines, run, withAgent } from './fake-world.ts';

const suspect: SuspectReport = {
  ...{ snapshot: 'ab12'.repeat(16), dataset: 'web', source: 'nas', timeMs: Date.UTC(2026, 0, 2) },
  ...{ state: 'suspect', reasons: ['1 canary file was changed or deleted'], wires: ['canary'] },
  files: { compared: 20, changed: 3, new: 0, deleted: 1 },
  bytesNew: 2048,
  lastClean: { snapshot: 'cd34'.repeat(16), timeMs: Date.UTC(2026, 0, 1) },
};
const cleared: SuspectReport = {
  ...{ ...suspect, snapshot: 'ab99'.repeat(16), state: 'cleared' },
  clearedBy: { operators: ['anna'], reason: 'a migration', timeMs: Date.UTC(2026, 0, 3) },
};
const withSuspects = (...list: SuspectReport[]) => withAgent({ tripwires: async () => list });

describe('tripwire', () => {
  it('lists suspect and cleared snapshots', async () => {
    const { code, out } = await run(['tripwire', 'list'], {
      backend: withSuspects(suspect, cleared),
    });
    expect(code).toBe(0);
    expect(out).toMatch(/^ab12ab12 .* web +SUSPECT +canary +cd34cd34$/m);
    expect(out).toMatch(/^ab99ab99 .* cleared /m);
  });

  it('says so when nothing is suspect', async () => {
    const { out } = await run(['tripwire', 'list'], { backend: withSuspects() });
    expect(out).toBe('No snapshot looks suspect.\n');
  });

  it('shows the reasons, the last clean snapshot, and what to do', async () => {
    const { out } = await run(['tripwire', 'show', 'ab12'], { backend: withSuspects(suspect) });
    expect(out).toContain('1 canary file was changed or deleted');
    expect(out).toContain('of 20 files compared, 3 changed and 1 gone');
    expect(out).toContain('holdfast restore cd34cd34 -t DIR --kit recovery-kit.txt');
    expect(out).toContain('holdfast tripwire clear ab12ab12 --reason "..."');
  });

  it('tells programs the same', async () => {
    const { out } = await run(['tripwire', 'show', 'AB12', '--json'], {
      backend: withSuspects(suspect),
    });
    const [line] = jsonLines(out);
    expect(line).toMatchObject({ message_type: 'suspect', wires: ['canary'], bytes_new: 2048 });
    expect(line).toMatchObject({ last_clean: { snapshot: suspect.lastClean?.snapshot } });
  });

  it.each([
    ['zz', 2, 'names no snapshot'],
    ['beef', 1, 'no tripwire has marked a snapshot beef'],
    ['ab', 2, 'give 4 or more characters'],
  ])('refuses %s with exit code %i', async (id, expected, words) => {
    const { code, err } = await run(['tripwire', 'show', id], { backend: withSuspects(suspect) });
    expect(code).toBe(expected);
    expect(err).toContain(words);
    expect(err).toContain('holdfast tripwire list');
  });

  it('wants more of an id that fits several', async () => {
    const twin = { ...cleared, snapshot: `ab12${'0'.repeat(60)}` };
    const backend = withSuspects(suspect, twin);
    const { code, err } = await run(['tripwire', 'show', 'ab12'], { backend });
    expect(code).not.toBe(0);
    expect(err).toContain('may be any of ab12ab12ab12ab12, ab12000000000000');
  });

  it('does not clear what was cleared before', async () => {
    const { code, err } = await run(['tripwire', 'clear', 'ab99', '--reason', 'again'], {
      backend: withSuspects(cleared),
    });
    expect(code).toBe(1);
    expect(err).toContain('was cleared before');
  });

  it('wants a reason', async () => {
    const { code } = await run(['tripwire', 'clear', 'ab12'], { backend: withSuspects(suspect) });
    expect(code).toBe(2);
  });
});
