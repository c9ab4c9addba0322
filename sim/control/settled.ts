import { toHex } from '../../src/base/bytes.ts';
import type { CommandId } from '../../src/core/format/control-records.ts';
import { encodePolicy } from '../../src/core/policy/policy-text.ts';
import { initialLog } from '../../src/services/control/initial-log.ts';
import { epochMs } from '../world.ts';
import type { ControlAgent } from './agent.ts';
import { type CastSize, founder, operatorSecrets, sealed } from './cast.ts';
import { ControlCluster } from './cluster.ts';
import type { Begun } from './disk.ts';
import { shippedParts } from './parts.ts';
import { controlPlanOf } from './plan.ts';

/** Short, so that a run of half a minute can have a decree. */
const decreeNotice = '2s';

/** Of members that know nothing yet. */
export function emptyDisks(memberCount: number): readonly Begun[] {
  const empty: Begun = { stored: initialLog(founder.agentKey), statements: undefined };
  return Array.from({ length: memberCount }, () => empty);
}

const settled = new Map<string, Promise<readonly Begun[]>>();

/** The disks of members that have admitted each other and voted in peace: where most seeds begin. */
export function settledDisks({
  byzantineVoters,
  memberCount,
}: CastSize): Promise<readonly Begun[]> {
  const name = `${byzantineVoters}/${memberCount}`;
  const known = settled.get(name) ?? settle({ byzantineVoters, memberCount });
  settled.set(name, known);
  return known;
}

async function settle(size: CastSize): Promise<readonly Begun[]> {
  const peace = {
    isFresh: true,
    hasCheckpoints: false,
    hasLeases: false,
    faults: [],
    lateMs: 0,
    ...size,
  };
  const plan = { ...controlPlanOf(1), ...peace };
  const begun = emptyDisks(size.memberCount);
  const cluster = new ControlCluster({ seed: 1, plan, begun, parts: shippedParts });
  for (const agent of cluster.agents) cluster.start(agent);
  const isSettled = (): boolean => {
    const leader = cluster.leader()?.control;
    const index = leader?.appliedIndex;
    const isEqual = cluster.agents.every(({ control }) => control?.appliedIndex === index);
    const isRuled = leader?.state.policy.current.version === 2;
    if (leader?.status().config.voters.length === 5 && isEqual && !isRuled) rule(cluster, leader);
    return isRuled && isEqual;
  };
  for (let i = 0; i < 120 && !isSettled(); i++) await cluster.world.advance(1000);
  if (!isSettled()) throw new Error('five members do not come to vote in peace');
  return cluster.agents.map(settledDisk);
}

function rule(cluster: ControlCluster, control: NonNullable<ControlAgent['control']>): void {
  const { version, document } = control.state.policy.current;
  const next = encodePolicy({ ...document, decreeNotice });
  const body = { kind: 'policy', version: version + 1, base: version, document: next } as const;
  const id = toHex(cluster.random.bytes(16)) as CommandId;
  const of = { cluster: cluster.cast.cluster, generation: 1 };
  const envelope = sealed({ id, body, timeMs: epochMs, secrets: operatorSecrets, ...of });
  control.submitSigned(envelope).catch((error: unknown) => cluster.fail('failure', String(error)));
}

function settledDisk(agent: ControlAgent): Begun {
  const { control, disk } = agent;
  const index = control?.appliedIndex ?? 0;
  const config = disk.log.configBefore(index + 1);
  const snapshot = { index, term: disk.log.termAt(index) ?? 0, config };
  const state = control?.image() ?? new Uint8Array(0);
  agent.crash();
  const stored = { hard: disk.log.hard, snapshot: { ...snapshot, state }, entries: [] };
  return { stored, statements: disk.statements };
}
