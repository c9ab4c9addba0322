import { afterEach, describe, expect, test } from 'vitest';
import { equal } from '../../../../src/base/bytes.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import {
  cosignCheckpoint,
  encodeSignedCheckpoint,
} from '../../../../src/core/format/checkpoint.ts';
import { sealCommand } from '../../../../src/core/format/control-envelope.ts';
import type { CommandId, ControlBody } from '../../../../src/core/format/control-records.ts';
import { encodeLogImage } from '../../../../src/core/format/log-image.ts';
import { MerkleRange } from '../../../../src/core/format/merkle-range.ts';
import { ControlState } from '../../../../src/core/protocol/control/control-state.ts';
import type { ControlLog } from '../../../../src/services/control/control-log.ts';
import { checkpointText, cosigner } from '../../../../src/core/protocol/control/log-checkpoint.ts';
import { ControlGroup } from '../../../support/control-group.ts';

let group: ControlGroup;

afterEach(() => group[Symbol.asyncDispose]());

let commands = 0;

/** A command that the cluster's operator has signed. */
function signed(body: ControlBody, generation = 1): Uint8Array {
  const id = (commands++).toString(16).padStart(32, '0') as CommandId;
  const { id: cluster, operatorSecret } = group.cluster;
  const command = { id, timeMs: 1, body };
  return sealCommand({ command, cluster, generation, secrets: [operatorSecret] }).bytes;
}

function pinned(version: number, voters: readonly number[]): ControlBody {
  const keys = voters.map((i) => group.keyOf(i)).sort();
  return { kind: 'layout', version, base: version - 1, mode: 'pinned', voters: keys };
}

function votersSeenBy(i: number): number {
  return group.at(i).control.status().config.voters.length;
}

async function threeVoters(): Promise<void> {
  group = new ControlGroup(3);
  for (let i = 0; i < 3; i++) await group.start(i);
  await group.until(
    () => [0, 1, 2].every((i) => votersSeenBy(i) === 3) && group.leader() !== undefined,
    'all three vote',
  );
}

function isAgreed(hosts: readonly number[]): boolean {
  const [first, ...others] = hosts.map((i) => group.at(i).control);
  const hash = first?.state.hash() ?? new Uint8Array(0);
  return others.every(
    ({ state, appliedIndex }) => appliedIndex === first?.appliedIndex && equal(state.hash(), hash),
  );
}

describe('members of a cluster', () => {
  test('become voters one after another, by themselves', async () => {
    await threeVoters();
    for (let i = 0; i < 3; i++) {
      expect(group.at(i).control.state.members.all()).toHaveLength(3);
      expect(group.at(i).control.state.config.voters).toHaveLength(3);
    }
  });

  test('agree on what operators have signed, whoever is asked to take it', async () => {
    await threeVoters();
    const follower = group.running().find(({ control }) => !control.isLeading);
    const command = signed(pinned(2, [0, 1, 2]));
    const applied = await group.finished(follower?.control.submitSigned(command) ?? never());
    expect(applied).toMatchObject({ outcome: 'applied' });
    await group.until(
      () => group.running().every(({ control }) => control.state.layout.current.version === 2),
      'all know it',
    );
    expect(isAgreed([0, 1, 2])).toBe(true);
  });

  test('find a command void that nobody with authority has signed', async () => {
    await threeVoters();
    const { control } = group.at(1);
    const applied = await group.finished(control.submit(pinned(2, [0])));
    expect(applied).toMatchObject({ outcome: 'void', reason: expect.stringMatching(/operator/) });
    expect(control.state.layout.current.version).toBe(1);
  });

  test('go on when the leader is gone, and it learns the rest when it is back', async () => {
    await threeVoters();
    const lost = group.hosts.findIndex((host) => host.control.isLeading);
    const [one = 0, two = 0] = [0, 1, 2].filter((i) => i !== lost);
    await group.kill(lost);
    await group.until(() => group.leader() !== undefined, 'another leads');
    const command = signed(pinned(2, [0, 1, 2]));
    await group.finished(group.at(one).control.submitSigned(command));
    await group.start(lost);
    await group.until(() => group.at(lost).control.state.layout.current.version === 2, 'it knows');
    expect(isAgreed([lost, one, two])).toBe(true);
  });
});

describe('a minority', () => {
  test('decides nothing, and says who is missing', async () => {
    await threeVoters();
    await group.kill(1);
    await group.kill(2);
    const { control } = group.at(0);
    const failure = await group
      .finished(control.submitSigned(signed(pinned(2, [0]))))
      .catch((error: unknown) => error);
    expect(codeOf(failure)).toBe('no-quorum');
    expect((failure as Error).message).toMatch(
      /2 of 3 voters must answer: site-[12]-host, site-[12]-host not reachable/,
    );
    expect(control.state.layout.current.version).toBe(1);
    const unsure = await group
      .finished(control.confirm({ timeoutMs: 5000 }))
      .catch((error: unknown) => error);
    expect(codeOf(unsure)).toBe('no-quorum');
  });
});

describe('a journal that cannot be written', () => {
  test('ends the agent, and no word leaves it any more', async () => {
    await threeVoters();
    const leader = group.leader();
    const i = group.hosts.indexOf(leader as never);
    group.failJournal(i);
    await group.clock.advance(0);
    void leader?.control.submitSigned(signed(pinned(2, [0, 1, 2]))).catch(() => {});
    await group.until(() => leader?.fatal.length === 1, 'it gives up');
    await group.until(
      () => group.leader() !== undefined && group.leader() !== leader,
      'another leads',
    );
  });
});

describe('a format that this software does not know', () => {
  test('ends what a host applies, and whoever asks is told what to install', async () => {
    await threeVoters();
    const { control } = group.at(0);
    const standing = await group.peopleAt(1);
    const raise = signed({ kind: 'format', version: 2 });
    await group.finished(control.submitSigned(raise));
    await group.until(
      () => group.running().every((host) => host.control.outdatedBy === 2),
      'all have stopped',
    );
    expect(isAgreed([0, 1, 2])).toBe(true);
    const { appliedIndex } = control;
    await group.clock.advance(5000);
    expect(control.appliedIndex).toBe(appliedIndex);
    expect(group.running().some((host) => host.control.isLeading)).toBe(false);
    const failure = await control.submitSigned(signed(pinned(2, [0]))).catch((error) => error);
    expect(codeOf(failure)).toBe('outdated-software');
    const unsure = await control.confirm().catch((error: unknown) => error);
    expect(codeOf(unsure)).toBe('outdated-software');
    expect(standing()).toEqual(['outdated-software site-1-host']);
  });
});

describe('an entry that nobody can read', () => {
  test('is void for all alike, and the log goes on', async () => {
    await threeVoters();
    const leader = group.leader()?.control;
    await group.finished(
      leader?.step({ kind: 'propose', payload: Uint8Array.of(1, 2, 3) }) ?? never(),
    );
    const applied = await group.finished(
      group.at(1).control.submitSigned(signed(pinned(2, [0, 1, 2]))),
    );
    expect(applied).toMatchObject({ outcome: 'applied' });
    await group.until(
      () => group.running().every(({ control }) => control.state.layout.current.version === 2),
      'all go on',
    );
    expect(isAgreed([0, 1, 2])).toBe(true);
  });
});

describe('a checkpoint', () => {
  test('that one voter has made up convinces nobody', async () => {
    await threeVoters();
    const { checkpoints, control } = group.at(1);
    const before = control.appliedIndex;
    const forged = forgedCheckpoint(control);
    expect(checkpoints.take(forged.note, forged.image)).toBe(false);
    expect(control.appliedIndex).toBe(before);
  });

  test('lets a member follow that no voter can reach', async () => {
    group = new ControlGroup(4);
    for (let i = 0; i < 4; i++) await group.start(i);
    await group.until(() => group.leader() !== undefined && votersSeenBy(0) === 3, 'three vote');
    const { config } = group.at(0).control.status();
    const away = group.agents.findIndex(({ agentKey }) => !config.voters.includes(agentKey));
    await group.kill(away);
    const { control } = group.leader() ?? group.at(0);
    await group.finished(
      control.submitSigned(
        signed(
          pinned(
            2,
            [0, 1, 2].map((i) => (i === away ? 3 : i)),
          ),
        ),
      ),
    );
    await group.until(() => (group.leader()?.checkpoints.newest ?? '') !== '', 'a majority signs');
    // It hears of the log from one that only relays: the leader cannot reach it.
    const leader = group.leader()?.host.network.self;
    const own = group.agents[away]?.peerKey;
    if (leader === undefined || own === undefined) throw new Error('nobody leads');
    group.hub.cut(own, leader);
    const late = await group.start(away);
    await group.until(() => late.control.state.layout.current.version === 2, 'it follows');
    expect(late.control.status()).toMatchObject({ leader: undefined, lastIndex: 0 });
  });
});

describe('a decree', () => {
  async function loseMajority(): Promise<void> {
    await threeVoters();
    await group.kill(1);
    await group.kill(2);
    await group.until(() => group.leader() === undefined, 'nobody leads');
  }

  async function decree(noticeMs = 30 * 60_000) {
    const { decrees } = group.at(0);
    const prepared = await group.finished(
      decrees.prepare({ voters: [group.keyOf(0)], reason: 'two sites burnt', noticeMs }),
    );
    return { prepared, envelope: signed({ kind: 'decree', ...prepared.decree }, 2) };
  }

  test('brings the log back after its notice, with what had been decided', async () => {
    await loseMajority();
    const { prepared, envelope } = await decree();
    expect(prepared.decree.abandoned).toEqual([group.keyOf(1), group.keyOf(2)].sort());
    await group.finished(group.at(0).decrees.announce(envelope));
    await group.clock.advance(29 * 60_000);
    expect(group.at(0).control.status().generation).toBe(1);
    await group.clock.advance(2 * 60_000);
    await group.until(() => group.leader() !== undefined, 'the new generation has a leader');
    const { control } = group.at(0);
    expect(control.status()).toMatchObject({ generation: 2, config: { voters: [group.keyOf(0)] } });
    expect(control.state.members.all()).toHaveLength(3);
    const next = signed(pinned(3, [0]), 2);
    expect(await group.finished(control.submitSigned(next))).toMatchObject({ outcome: 'applied' });
  });

  test('names no voter that does not answer, since it would abandon it', async () => {
    await loseMajority();
    const voters = [group.keyOf(0), group.keyOf(2)];
    const { decrees } = group.at(0);
    const draft = { voters, reason: 'one site burnt', noticeMs: 30 * 60_000 };
    const failure = await group.finished(decrees.prepare(draft)).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'peer-unreachable',
      message: expect.stringMatching(/^site-2-host does not answer/),
      next: expect.stringContaining('--voters'),
    });
  });

  test('is refused without the notice that the policy asks for, and without the operators', async () => {
    await loseMajority();
    const hasty = await decree(1000);
    await expect(group.at(0).decrees.announce(hasty.envelope)).rejects.toThrow(/notice/);
    const { prepared } = await decree();
    const body = { kind: 'decree', ...prepared.decree } as const;
    const { id: cluster } = group.cluster;
    const command = { id: 'f'.repeat(32) as CommandId, timeMs: 1, body };
    const secrets = [group.agents[0]?.statementSecret ?? new Uint8Array(32)];
    const forged = sealCommand({ command, cluster, generation: 2, secrets }).bytes;
    await expect(group.at(0).decrees.announce(forged)).rejects.toThrow(/operators must sign/);
    expect(group.at(0).decrees.pending).toBeUndefined();
  });

  test('fences the old generation when it returns: it follows the new one and votes no more', async () => {
    await loseMajority();
    const { envelope } = await decree();
    await group.finished(group.at(0).decrees.announce(envelope));
    await group.clock.advance(31 * 60_000);
    await group.until(() => group.leader() !== undefined, 'the new generation has a leader');
    // The two that were lost are back together: they are a majority of the old voters.
    await group.start(1);
    await group.start(2);
    await group.until(
      () => [1, 2].every((i) => group.at(i).control.status().generation === 2),
      'the old generation ends',
    );
    await group.clock.advance(30_000);
    expect(group.at(0).control.isLeading).toBe(true);
    expect(group.at(0).control.status().config.voters).toEqual([group.keyOf(0)]);
    await group.until(() => group.at(1).control.state.generation === 2, 'they follow');
  });
});

describe('two decrees for one generation', () => {
  test('the later one counts everywhere, in whatever order they are heard', async () => {
    await threeVoters();
    await group.kill(1);
    await group.until(() => group.leader() !== undefined, 'two of three go on');
    const prepare = (i: number) =>
      group.finished(
        group.at(i).decrees.prepare({ voters: [group.keyOf(i)], reason: 'burnt', noticeMs }),
      );
    const noticeMs = 30 * 60_000;
    const first = await prepare(0);
    await group.clock.advance(2000);
    const second = await prepare(2);
    group.hub.cut(group.at(0).host.network.self, group.at(2).host.network.self);
    await group.finished(
      group.at(0).decrees.announce(signed({ kind: 'decree', ...first.decree }, 2)),
    );
    await group.finished(
      group.at(2).decrees.announce(signed({ kind: 'decree', ...second.decree }, 2)),
    );
    await group.hub.heal();
    const voterOf = (i: number) => group.at(i).decrees.pending?.decree.voters[0];
    await group.until(() => voterOf(0) === group.keyOf(2), 'the first one gives way');
    expect(voterOf(2)).toBe(group.keyOf(2));
    await group.clock.advance(32 * 60_000);
    await group.until(() => group.at(0).control.status().generation === 2, 'one is in force');
    expect(group.at(0).control.status().config.voters).toEqual([group.keyOf(2)]);
  });

  test('that have begun it in two parts are noticed when the parts meet, and a third one ends that', async () => {
    await threeVoters();
    await group.kill(1);
    const standing = await group.peopleAt(0);
    group.hub.cut(group.at(0).host.network.self, group.at(2).host.network.self);
    await group.until(() => group.leader() === undefined, 'nobody leads');
    const noticeMs = 30 * 60_000;
    const begin = async (i: number, generation: number): Promise<void> => {
      const { decrees, control } = group.at(i);
      const draft = { voters: [group.keyOf(i)], reason: 'burnt', noticeMs };
      const { decree } = await group.finished(decrees.prepare(draft));
      const envelope = signed({ kind: 'decree', ...decree }, generation);
      await group.finished(decrees.announce(envelope));
      await group.clock.advance(noticeMs + 60_000);
      await group.until(() => control.status().generation === generation, 'it is in force');
      await group.until(() => control.isLeading, 'the new generation has a leader');
    };
    await begin(0, 2);
    await begin(2, 2);
    expect(standing()).toEqual([]);
    await group.hub.heal();
    await group.meet(0);
    const rivals = (i: number) => [...group.at(i).decrees.rivals];
    await group.until(() => rivals(0).length + rivals(2).length === 2, 'both see the other');
    expect(rivals(0)).toEqual([group.keyOf(2)]);
    await group.until(() => standing().length > 0, 'people are told');
    expect(standing()).toEqual(['rival-decrees site-2-host']);
    await begin(0, 3);
    await group.until(() => group.at(2).control.state.generation === 3, 'the other follows');
    await group.until(() => isAgreed([0, 2]), 'both agree');
    expect(group.at(2).control.status().config.voters).toEqual([group.keyOf(0)]);
    expect(rivals(0).length + rivals(2).length).toBe(0);
    await group.until(() => standing().length === 0, 'people are told that it is over');
    expect([...group.at(0).fatal, ...group.at(2).fatal]).toEqual([]);
  });
});

/** As site 2 would like it: a log much longer than the true one, in which it is the only voter. */
function forgedCheckpoint(control: ControlLog): { note: string; image: Uint8Array } {
  const { genesis, cluster } = control.state;
  const state = ControlState.decode(control.state.encode(), genesis, cluster);
  const config = { voters: [group.keyOf(2)], learners: [] };
  const tree = MerkleRange.empty();
  for (let i = 0; i < control.appliedIndex + 10; i++) tree.append(new Uint8Array(32));
  state.applyConfig(config, tree.size);
  const { voters } = config;
  const head = { size: tree.size, root: tree.root(), stateHash: state.hash(), voters };
  const text = checkpointText(cluster, 1, head);
  const secret = group.agents[2]?.statementSecret ?? never();
  const line = cosignCheckpoint(text, { by: cosigner(group.keyOf(2)), secret, timeSeconds: 1 });
  const image = encodeLogImage({ tree, state: state.encode() });
  return { note: encodeSignedCheckpoint(text, [line]), image };
}

function never(): never {
  throw new Error('there is no follower');
}
