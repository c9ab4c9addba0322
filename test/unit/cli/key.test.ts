import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KeyEpochReport, KeysReport } from '../../../src/agent/key-types.ts';
import type { KeyChangeOptions } from '../../../src/cli/backend.ts';
import { formatKit } from '../../../src/core/format/recovery-kit.ts';
import { idOf } from '../../../src/core/ids.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { filled } from '../core/format/samples.ts';
import { run, withAgent } from './fake-world.ts';

const identity = `AGE-SECRET-KEY-PQ-1${'Q'.repeat(58)}`;
const recipient = `age1pq1${'q'.repeat(60)}`;
const id = '07'.repeat(16);
const writer = '09'.repeat(32);

const epoch: KeyEpochReport = {
  ...{ epoch: 1, timeMs: 0, isCurrent: false, record: 'held', kitVersion: 1, isStale: false },
  ...{ recipients: [], snapshots: 3, snapshotsLater: 0, isNeededByNewest: false },
};

function report(change: Partial<KeyEpochReport> = {}): KeysReport {
  const epochs = [{ ...epoch, ...change }];
  const home = { name: 'home', id, source: 'host1', writer, recipients: [], epochs };
  const kit = { version: 1, id: 'abc', timeMs: 0 };
  return { version: 1, kit, recipients: [], datasets: [home] };
}

let scratch: ReturnType<typeof scratchDirectory>;
let kit: string;

beforeEach(() => {
  scratch = scratchDirectory();
  kit = join(scratch.path, 'kit');
  const facts = { clusterName: 'c', clusterId: idOf<never>(filled(1)), addresses: [] };
  writeFileSync(kit, formatKit({ ...facts, identity, createdMs: 0 }));
  chmodSync(kit, 0o600);
});

afterEach(() => scratch[Symbol.asyncDispose]());

const applied = { outcome: 'applied', index: 9, generation: 1 } as const;

function backend(changes: KeyChangeOptions[], keys = report()) {
  const keyHolders = async () => ({ held: 1, asked: 1, members: 1 });
  return withAgent(
    { keys: async () => keys, keyHolders },
    {
      changeKeys: async (options) => {
        changes.push(options);
        return { command: applied, epochs: [], bytes: 10 };
      },
    },
  );
}

describe('who can open what', () => {
  test('a recipient is added with what the kit opens, which is never on the command line', async () => {
    const changes: KeyChangeOptions[] = [];
    const args = ['key', 'add', 'home', recipient, '--name', 'ada', '--kit', kit];
    const { code, out } = await run(args, { backend: backend(changes) });
    expect(code).toBe(0);
    expect(out).toContain('ada may open home from now on');
    expect(changes[0]).toMatchObject({
      identities: [identity],
      scope: { kind: 'dataset', writer, dataset: id },
      set: { of: { writer, dataset: id }, recipients: [{ name: 'ada', recipient }] },
    });
  });

  test('a secret key given as a recipient is refused before anything else', async () => {
    const args = ['key', 'add', 'home', identity, '--kit', kit];
    const { code, err } = await run(args, { backend: backend([]) });
    expect(code).toBe(2);
    expect(err).not.toContain(identity);
  });

  test('without a kit it says what it needs', async () => {
    const { code, err } = await run(['key', 'add', '--all', recipient], { backend: backend([]) });
    expect(code).toBe(12);
    expect(err).toContain('--kit FILE');
  });

  test('a new kit that the log refuses leaves no file behind', async () => {
    const file = join(scratch.path, 'new-kit');
    const refusing = withAgent(
      { keys: async () => report() },
      {
        changeKeys: async ({ keepKit }) => {
          await keepKit?.('the kit');
          const command = { ...applied, outcome: 'void', reason: 'too late' } as const;
          return { command, epochs: [], bytes: 0 };
        },
      },
    );
    const { code } = await run(['key', 'kit', '-o', file, '--kit', kit], { backend: refusing });
    expect(code).toBe(24);
    expect(existsSync(file)).toBe(false);
  });
});

describe('shredding', () => {
  const destroy = ['key', 'destroy', 'home', '--epoch', '1', '--reason', 'law', '--yes'];

  test('is refused while the newest snapshot needs the epoch', async () => {
    const needed = report({ isNeededByNewest: true, snapshotsLater: 1 });
    const { code, err } = await run(destroy, { backend: backend([], needed) });
    expect(code).toBe(26);
    expect(err).toContain('holdfast key rotate home --fresh');
  });

  test('is refused while a compliance lock runs, whatever else is said', async () => {
    const locked = report({ complianceUntilMs: Date.UTC(2030, 0, 1) });
    const args = [...destroy, '--including-newer'];
    const { code, err } = await run(args, { backend: backend([], locked) });
    expect(code).toBe(24);
    expect(err).toContain('compliance lock until 2030-01-01');
  });

  test('counts snapshots of later epochs before it takes them too', async () => {
    const { code, err } = await run(destroy, {
      backend: backend([], report({ snapshotsLater: 2 })),
    });
    expect(code).toBe(26);
    expect(err).toContain('2 snapshots of later epochs');
  });
});

describe('splitting', () => {
  const founders = ['dan', 'eva', 'fay'].map((name) => ({ name }));
  const custody = { threshold: 2, custodians: founders };
  const holders = async (...flags: string[]): Promise<string[]> => {
    const names: string[] = [];
    const whole = withAgent(
      { keys: async () => ({ ...report(), custody }) },
      {
        splitKit: async ({ custodians }) => {
          names.push(...custodians.map(({ name }) => name));
          return { command: applied, id: 'ab' };
        },
      },
    );
    const args = ['key', 'split', ...flags, '--kit', kit, '-o', join(scratch.path, 'shares')];
    expect((await run(args, { backend: whole })).code).toBe(0);
    return names;
  };

  test('names those whom the founders have named, where as many shares are asked for', async () => {
    expect(await holders('--threshold', '2', '--shares', '3')).toEqual(['dan', 'eva', 'fay']);
  });

  test('names nobody of them for another number of shares', async () => {
    expect((await holders('--threshold', '2', '--shares', '4'))[3]).toBe('custodian 4');
  });
});
