import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, messages, threeSites, until } from '../support/cluster.ts';

const cluster = new Cluster();
const [origin, second, third] = threeSites.map(({ name }) => name) as [string, string, string];
const bea = join(cluster.root, 'bea.key');
const both = (): string[] => ['--operator-key', own(), '--operator-key', bea];
/** The first operator's, which `init` has made. */
const own = (): string => join(cluster.state(origin), 'operator.key');

async function makeKey(file: string): Promise<string> {
  const { out } = await cluster.expect(0, ['operator', 'key', '-o', file], origin);
  return out.trim();
}

beforeAll(async () => {
  await cluster.form(threeSites, { surviveSites: 1 });
  await until('three members are known to the log', 30_000, async () => {
    const { learners, voters } = await cluster.api(origin).coordinator();
    return learners.length + voters.length === 3;
  });
  const key = await makeKey(bea);
  await cluster.expect(0, ['operator', 'add', 'Bea', key, '--threshold', '2', ...both()], origin);
});

afterAll(() => cluster[Symbol.asyncDispose]());

describe('one operator of two who must sign', () => {
  it.each([
    ['put a member out', () => ['peer', 'remove', third, '--reason', 'x', '--yes']],
    ['take a role', () => ['peer', 'set', third, '--role', '-storage']],
    ['remove the other operator', () => ['operator', 'remove', 'Bea', '--threshold', '1']],
    ['lower the threshold', () => ['operator', 'threshold', '1']],
    ['shorten the delay', () => ['policy', 'set', '--destructive-delay', '0s']],
    ['isolate a host', () => ['dataset', 'isolate', '--agent', third, '--reason', 'x', '--yes']],
  ])('cannot %s, and the attempt stays in the log', async (_, command) => {
    const before = (await cluster.api(second).proposals()).length;
    const { err } = await cluster.expect(24, command(), origin);
    expect(err).toContain('holdfast approve sign');
    const proposals = await cluster.api(second).proposals();
    expect(proposals).toHaveLength(before + 1);
    expect(proposals.at(-1)).toMatchObject({ state: 'open', approvals: [{}] });
  });
});

describe('two operators', () => {
  it('wait before an operator goes, and an auditor stops it', async () => {
    await cluster.expect(0, ['peer', 'set', second, '--role', '+auditor', ...both()], origin);
    const remove = ['operator', 'remove', 'Bea', '--threshold', '1', ...both()];
    await cluster.expect(24, remove, origin);
    const waiting = (await cluster.api(second).proposals()).at(-1);
    expect(waiting).toMatchObject({ state: 'waiting', kind: 'operators' });
    const veto = ['approve', 'veto', waiting?.hash.slice(0, 8) ?? '', '--reason', 'not now'];
    await cluster.expect(24, veto, third);
    await cluster.expect(0, veto, second);
    const { out } = await cluster.expect(0, ['operator', 'list', '--json'], origin);
    expect(messages(out)[0]).toMatchObject({ threshold: 2 });
  });

  it('put a member out, which is cut off within five seconds', async () => {
    await cluster.expect(
      0,
      ['peer', 'remove', third, '--reason', 'stolen', '--yes', ...both()],
      origin,
    );
    await until('nobody is connected with it', 5000, async () => {
      const peers = await cluster.api(third).peers();
      return peers.every(({ state }) => state !== 'connected');
    });
    const removed = await cluster.api(second).removedPeers();
    expect(removed).toMatchObject([{ name: third, reason: 'stolen' }]);
  });
});
