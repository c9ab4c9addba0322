import { afterEach, expect, test } from 'vitest';
import { sealCommand } from '../../../../src/core/format/control-envelope.ts';
import type { CommandId, ControlBody } from '../../../../src/core/format/control-records.ts';
import { limits } from '../../../../src/core/limits.ts';
import { encodePolicy } from '../../../../src/core/policy/policy-text.ts';
import { type ControlHost, ControlGroup } from '../../../support/control-group.ts';

let group: ControlGroup;

afterEach(() => group[Symbol.asyncDispose]());

function signed(body: ControlBody, generation: number, number: number): Uint8Array {
  const { id: cluster, operatorSecret } = group.cluster;
  const id = number.toString(16).padStart(32, '0') as CommandId;
  const command = { id, timeMs: 1, body };
  return sealCommand({ command, cluster, generation, secrets: [operatorSecret] }).bytes;
}

/** Versions of the policy with long rules: together more than a message carries. */
const rounds = 30;

function policy(version: number): ControlBody {
  const rules = Array.from({ length: 256 }, (_, i) => ({
    match: `${version}-${i}-`.padEnd(128, 'x'),
    retention: { keepLast: 1 },
  }));
  const document = encodePolicy({ datasets: rules });
  return { kind: 'policy', version, base: version - 1, document };
}

async function fill(leader: ControlHost): Promise<void> {
  for (let version = 2; version <= rounds; version++) {
    const command = signed(policy(version), 1, version);
    const { outcome } = await group.finished(leader.control.submitSigned(command));
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
  const version = ({ control }: ControlHost): number => control.state.policy.current.version;
  await group.until(() => version(away) === rounds, 'it follows through a relay');
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
  await group.finished(decrees.announce(signed({ kind: 'decree', ...decree }, 2, 0)));
  await group.until(() => away.decrees.pending !== undefined, 'the other has heard of it');
  await group.clock.advance(31 * 60_000);
  const isBegun = (i: number): boolean => group.at(i).control.state.generation === 2;
  await group.until(() => isBegun(left) && isBegun(3), 'both have begun the new generation');
  const late = await group.start(gone);
  await group.until(() => isBegun(gone), 'who was away follows');
  expect(version(late)).toBe(rounds);
}, 180_000);
