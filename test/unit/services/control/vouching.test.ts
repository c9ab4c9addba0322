import { afterEach, describe, expect, test, vi } from 'vitest';
import { minuteMs } from '../../../../src/base/units.ts';
import { sealCommand } from '../../../../src/core/format/control-envelope.ts';
import type { CommandId, ControlBody } from '../../../../src/core/format/control-records.ts';
import type { Role } from '../../../../src/core/format/records.ts';
import { ControlGroup, type ControlHost } from '../../../support/control-group.ts';

let group: ControlGroup;

afterEach(() => group[Symbol.asyncDispose]());

let commands = 0x2000;

function signed(body: ControlBody, generation = 1): Uint8Array {
  const id = (commands++).toString(16).padStart(32, '0') as CommandId;
  const { id: cluster, operatorSecret } = group.cluster;
  const command = { id, timeMs: 1, body };
  return sealCommand({ command, cluster, generation, secrets: [operatorSecret] }).bytes;
}

async function pin(version: number, hosts: readonly number[], by = 0): Promise<void> {
  const voters = hosts.map((i) => group.keyOf(i)).sort();
  const body = { kind: 'layout', version, base: version - 1, mode: 'pinned', voters } as const;
  await group.finished(group.at(by).control.submitSigned(signed(body)));
  const { control } = group.at(hosts[0] ?? 0);
  await group.until(
    () => control.state.vouches.voters.join() === voters.join(),
    'the voters are vouched for',
  );
}

async function startAll(count: number, running: number): Promise<void> {
  group = new ControlGroup(count);
  for (let i = 0; i < running; i++) await group.start(i);
  const isKnown = (): boolean => group.leader()?.control.state.members.all().length === count;
  await group.until(isKnown, 'the log knows all');
}

/** No message passes between these two. */
function cut(a: number, b: number): void {
  const [one, two] = [group.agents[a]?.peerKey, group.agents[b]?.peerKey];
  if (one !== undefined && two !== undefined) group.hub.cut(one, two);
}

describe('a member with an empty log', () => {
  test('believes a relay long after the founder is gone: each set of voters vouches for the next', async () => {
    await startAll(6, 5);
    await pin(2, [0, 1, 2]);
    await pin(3, [2, 3, 4]);
    await group.kill(0);
    await group.kill(1);
    await group.until(() => group.leader() !== undefined, 'one leads');
    const leader = group.hosts.findIndex((host) => host?.control.isLeading === true);
    cut(5, leader);
    const late = await group.start(5);
    const seen = (): readonly string[] => late.control.state.config.voters;
    await group.until(() => seen().length === 3, 'it follows');
    expect([...seen()]).toEqual([2, 3, 4].map((i) => group.keyOf(i)).sort());
    expect(late.control.status().leader).toBeUndefined();
  });
});

describe('a member that reaches no voter', () => {
  /** Three voters, one that does not vote, and a late one that reaches that one alone. */
  async function behind(roles: readonly Role[]): Promise<ControlHost> {
    group = new ControlGroup(5, (i) => (i === 3 ? roles : undefined));
    for (const i of [0, 1, 2, 3]) await group.start(i);
    const isKnown = (): boolean => group.leader()?.control.state.members.all().length === 5;
    await group.until(isKnown, 'the log knows all');
    await pin(2, [0, 1, 2]);
    for (const i of [0, 1, 2]) cut(4, i);
    return group.start(4);
  }

  test('follows the log through a relay', async () => {
    const late = await behind(['storage', 'relay']);
    await group.until(() => late.control.state.config.voters.length === 3, 'it follows');
  });

  test('takes no log from a member that is no relay', async () => {
    const late = await behind(['storage']);
    const endMs = group.clock.monotonicMs() + 20_000;
    await group.until(() => group.clock.monotonicMs() > endMs, 'much longer than following takes');
    expect(late.control.state.config.voters).toEqual([group.keyOf(0)]);
  });
});

describe('a change of voters', () => {
  test('from three to one need not wait for anybody who is there', async () => {
    await startAll(3, 3);
    await pin(2, [0, 1, 2]);
    const startMs = group.clock.monotonicMs();
    await pin(3, [0]);
    expect(group.clock.monotonicMs() - startMs).toBeLessThan(20_000);
    expect(group.at(0).control.state.config.voters).toEqual([group.keyOf(0)]);
  });
});

describe('a member that no leader reaches', () => {
  test('has its commands and questions passed on, and hears what became of them', async () => {
    await startAll(4, 4);
    await pin(2, [0, 1, 2]);
    const leader = group.hosts.findIndex((host) => host.control.isLeading);
    cut(3, leader);
    const { control } = group.at(3);
    await group.until(() => control.status().leader === undefined, 'it knows no leader');
    const applied = await group.finished(control.submitSigned(signed(isolation())));
    expect(applied).toMatchObject({ outcome: 'applied' });
    expect(control.state.incarnations.isolations.all()).toHaveLength(1);
    const again = await group.finished(control.submitSigned(signed(isolation())));
    expect(again).toMatchObject({ outcome: 'void', reason: 'this has been attested already' });
    await group.finished(control.confirm());
    expect(control.leaderByHearsay).toBe(group.keyOf(leader));
  });

  test('says that there is no quorum where nobody knows the way', async () => {
    await startAll(4, 4);
    await pin(2, [0, 1, 2]);
    await group.kill(0);
    await group.kill(1);
    const { control } = group.at(3);
    await group.until(() => group.leader() === undefined, 'nobody leads');
    const refused = control.submitSigned(signed(isolation()), { timeoutMs: 5000 });
    await expect(group.finished(refused)).rejects.toMatchObject({ code: 'no-quorum' });
  });
});

describe('a voter that signs another log', () => {
  test('is told of, until it is put out', async () => {
    await startAll(3, 3);
    await pin(2, [0, 1, 2]);
    const leader = group.hosts.findIndex((host) => host.control.isLeading);
    const liar = leader === 1 ? 2 : 1;
    const standing = await group.peopleAt(leader);
    await group.clock.advance(2 * minuteMs);
    expect(standing()).toEqual([]);
    const { control } = group.at(liar);
    const truth = control.headAt.bind(control);
    vi.spyOn(control, 'headAt').mockImplementation((size) => {
      const head = truth(size);
      return head === undefined ? undefined : { ...head, root: new Uint8Array(32).fill(size) };
    });
    const by = group.at(leader).control;
    await group.finished(by.submitSigned(signed(isolation())));
    await group.until(() => standing().length > 0, 'people are told');
    expect(standing()).toEqual([`forked-log site-${liar}-host`]);
    const expel = {
      kind: 'expel',
      agent: group.keyOf(liar),
      reason: 'alone with its log',
    } as const;
    await group.finished(by.submitSigned(signed(expel)));
    await group.until(() => standing().length === 0, 'people are told that it is over');
  });
});

function isolation(): ControlBody {
  const agent = group.keyOf(0);
  return { kind: 'isolate', agent, dataset: undefined, reason: 'powered off' };
}
