import { afterEach, expect, test } from 'vitest';
import { sealCommand } from '../../../../src/core/format/control-envelope.ts';
import type {
  AnchorHead,
  CommandId,
  ControlBody,
} from '../../../../src/core/format/control-records.ts';
import type { DatasetId, StatementHash } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import { type ControlHost, ControlGroup } from '../../../support/control-group.ts';

let group: ControlGroup;

afterEach(() => group[Symbol.asyncDispose]());

function signed(body: ControlBody, generation: number): Uint8Array {
  const { id: cluster, operatorSecret } = group.cluster;
  const command = { id: 'c'.repeat(32) as CommandId, timeMs: 1, body };
  return sealCommand({ command, cluster, generation, secrets: [operatorSecret] }).bytes;
}

/** Commands of 256 heads each: together more than a message carries. */
const rounds = 48;

function heads(round: number): AnchorHead[] {
  const hash = 'ab'.repeat(32) as StatementHash;
  return Array.from({ length: 256 }, (_, i) => {
    const dataset = (round * 256 + i).toString(16).padStart(32, '0') as DatasetId;
    return { writer: group.keyOf(0), dataset, sequence: 1, hash };
  });
}

async function fill(leader: ControlHost): Promise<void> {
  const anchors = Array.from({ length: rounds }, (_, round) =>
    leader.control.submit({ kind: 'anchor', heads: heads(round) }),
  );
  for (const { outcome } of await group.finished(Promise.all(anchors))) {
    expect(outcome).toBe('applied');
  }
  expect(leader.control.image().length).toBeGreaterThan(limits.messageSizeMax);
}

async function threeVoters(): Promise<ControlHost> {
  group = new ControlGroup(4);
  for (let i = 0; i < 3; i++) await group.start(i);
  const isReady = (): boolean => group.at(0).control.status().config.voters.length === 3;
  await group.until(() => isReady() && group.leader() !== undefined, 'three vote');
  const leader = group.leader();
  if (leader === undefined) throw new Error('nobody leads');
  return leader;
}

test('a state that fits no message goes through a relay, in a snapshot, and under a decree', async () => {
  const leader = await threeVoters();
  await fill(leader);
  const own = group.agents[3]?.peerKey;
  if (own === undefined) throw new Error('there is no fourth');
  group.hub.cut(own, leader.host.network.self);
  const away = await group.start(3);
  const anchors = ({ control }: ControlHost): number => control.state.anchors.all().length;
  await group.until(() => anchors(away) === rounds * 256, 'it follows through a relay');
  expect(away.control.status()).toMatchObject({ leader: undefined, lastIndex: 0 });

  // With its entries gone, the leader sends the same state as a snapshot.
  const index = leader.control.appliedIndex;
  const state = leader.control.image();
  await group.finished(leader.control.step({ kind: 'compact', index, state }));
  await group.hub.heal();
  await group.meet(3);
  await group.until(() => away.control.status().commit >= index, 'the snapshot has arrived');
  expect(away.control.status().firstIndex).toBe(index);

  const lead = group.hosts.indexOf(leader);
  const [gone = 0, left = 0] = [0, 1, 2].filter((i) => i !== lead);
  await group.kill(gone);
  await group.kill(lead);
  const { decrees } = group.at(left);
  const draft = { voters: [group.keyOf(left)], reason: 'two burnt', noticeMs: 30 * 60_000 };
  const { decree } = await group.finished(decrees.prepare(draft));
  await group.finished(decrees.announce(signed({ kind: 'decree', ...decree }, 2)));
  await group.until(() => away.decrees.pending !== undefined, 'the other has heard of it');
  await group.clock.advance(31 * 60_000);
  const isBegun = (i: number): boolean => group.at(i).control.state.generation === 2;
  await group.until(() => isBegun(left) && isBegun(3), 'both have begun the new generation');
  const late = await group.start(gone);
  await group.until(() => isBegun(gone), 'who was away follows');
  expect(anchors(late)).toBe(rounds * 256);
}, 180_000);
