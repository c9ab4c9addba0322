import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import type { CoordinatorReport } from '../../src/agent/coordinator-types.ts';
import { Cluster, messages, threeSites, told, until } from '../support/cluster.ts';
import { writeFiles } from '../support/sample-files.ts';

const cluster = new Cluster();
const names = threeSites.map(({ name }) => name);
const [origin, second, third] = names as [string, string, string];
const source = join(cluster.root, 'source');
const electedWithinMs = 20_000;

beforeAll(async () => {
  mkdirSync(source);
  writeFiles(source, { count: 200, seed: 'control', sizeMax: 8000 });
  await cluster.form(threeSites, { surviveSites: 2 });
});

afterAll(() => cluster[Symbol.asyncDispose]());

function reports(): Promise<CoordinatorReport[]> {
  return Promise.all(cluster.running.map((name) => cluster.api(name).coordinator()));
}

/** Everybody names one coordinator, a quorum confirms it, and so many vote. */
async function untilAgreed(voters: number): Promise<string> {
  let leader = '';
  await until(`${cluster.running.join(', ')} agree`, electedWithinMs, async () => {
    const seen = await reports();
    leader = seen[0]?.leader ?? '';
    return seen.every(
      (one) => one.isConfirmed && one.leader === leader && one.voters.length === voters,
    );
  });
  return leader;
}

async function nextVersion(): Promise<string> {
  return String((await cluster.api(origin).layout()).version + 1);
}

describe('three sites that decide together', () => {
  it('elect one coordinator, and all three vote', async () => {
    expect(names).toContain(await untilAgreed(3));
    const words = 'any 1 of 3 voters may fail; any one site may be lost';
    expect(await cluster.api(third).layout()).toMatchObject({ mode: 'auto', now: { words } });
  });

  it('let another one coordinate on demand', async () => {
    const before = await untilAgreed(3);
    const other = names.find((name) => name !== before) ?? '';
    await cluster.expect(0, ['coordinator', 'step-down', '--to', other], origin);
    expect(await untilAgreed(3)).toBe(other);
  });

  it('pin the voters, and go back to letting them be chosen', async () => {
    const key = join(cluster.state(origin), 'operator.key');
    const apply = ['layout', 'apply', '--version'];
    // Where no operator's key is, its file is named; a version counts once.
    await cluster.expect(12, [...apply, '2', '--pin', origin], second);
    await cluster.expect(0, [...apply, '2', '--pin', origin, '--operator-key', key], second);
    await cluster.expect(1, [...apply, '2', '--auto'], origin);
    expect(await untilAgreed(1)).toBe(origin);
    await cluster.expect(0, ['layout', 'revert', '--version', '1'], origin);
    await untilAgreed(3);
    const { history } = await cluster.api(third).layout();
    expect(history.map(({ mode }) => mode)).toEqual(['auto', 'pinned', 'auto']);
  });
});

describe('a dataset that moves to another site', () => {
  const plan = join(cluster.root, 'plan.json');
  const back = join(cluster.root, 'back');
  const run = ['restore', 'run', plan, '--kit', cluster.kit, '--json'];

  it('is restored there, and not promoted while the old copy may be live', async () => {
    await cluster.backup(origin, ['--dataset', 'web', source]);
    await until('the snapshot is anchored', electedWithinMs, async () => {
      const args = ['restore', 'plan', 'web', '--to', second, '--dir', back, '-o', plan];
      return (await cluster.run(args, origin)).code === 0;
    });
    const outcome = await cluster.run(run, origin);
    expect(outcome.code, told(outcome)).toBe(1);
    expect(messages(outcome.out).at(-1)).toMatchObject({
      state: 'escalated',
      steps: [{ state: 'done', worker: second }, { state: 'escalated' }],
    });
    expect(await compareTrees(source, join(back, 'web', source))).toEqual([]);
  });

  it('goes live there once the old holder has given it up, which then may not write it', async () => {
    await cluster.expect(24, ['dataset', 'demote', 'web'], third);
    await cluster.expect(0, ['dataset', 'demote', 'web'], origin);
    await cluster.expect(0, ['restore', 'resume', 'web-to-nyc1'], origin);
    await cluster.expect(0, ['restore', 'status', 'web-to-nyc1', '--follow'], third);
    const { out } = await cluster.expect(0, ['dataset', 'show', 'web', '--json'], third);
    expect(messages(out)).toMatchObject([{ state: 'live', incarnation: 1, holder: second }]);
    await cluster.expect(24, ['backup', '--dataset', 'web', source], origin);
    const again = await cluster.run(run, origin);
    expect(again.code, told(again)).toBe(1);
    expect(again.err).toContain('a plan is carried out once');
  });
});

describe('a site whose two partners are gone', () => {
  beforeAll(async () => {
    await Promise.all([second, third].map((name) => cluster.kill(name)));
  });

  it('says that there is no quorum, and who is missing', async () => {
    await until('the loss is noticed', electedWithinMs, async () => {
      const { isConfirmed, votersReachable } = await cluster.api(origin).coordinator();
      return !isConfirmed && votersReachable === 1;
    });
    const version = await nextVersion();
    const decisions = [
      ['coordinator', 'status'],
      ['layout', 'apply', '--version', version, '--pin', origin],
    ];
    for (const args of decisions) {
      const outcome = await cluster.expect(20, args, origin);
      for (const name of [second, third]) expect(outcome.err, told(outcome)).toContain(name);
    }
    const { out } = await cluster.run(['status'], origin);
    expect(out).toMatch(/^Coordinator: .*quorum: NO .*missing: nyc1, sin1/m);
  });

  it('restores with the kit all the same', async () => {
    const [snapshot] = await cluster.snapshots(origin);
    const target = join(cluster.root, 'alone');
    const outcome = await cluster.restore(snapshot?.id ?? '', target, origin);
    expect(outcome.code, told(outcome)).toBe(0);
    expect(await compareTrees(source, join(target, source))).toEqual([]);
  });

  it('decides again when they are back', async () => {
    await Promise.all([second, third].map((name) => cluster.start(name)));
    await cluster.untilConnected();
    await untilAgreed(3);
    const version = await nextVersion();
    await cluster.expect(0, ['layout', 'apply', '--version', version, '--auto'], origin);
    await cluster.expect(0, ['coordinator', 'status'], third);
  });
});
