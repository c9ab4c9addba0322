import type { AgentKey, ClusterId } from '../ids.ts';
import { type CheckpointKey, encodeCheckpoint } from './checkpoint.ts';

/** Names one log of one agent. A log that was damaged is followed by one with a higher number. */
export type AuditLogName = {
  readonly cluster: ClusterId;
  readonly agent: AgentKey;
  /** From 1. */
  readonly number: number;
};

/** The first line of its checkpoints. */
export function auditOrigin({ cluster, agent, number }: AuditLogName): string {
  return `holdfast/audit/${cluster}/${agent}/${number}`;
}

/** The log that a first line names; undefined when it is none. */
export function auditLogOf(origin: string): AuditLogName | undefined {
  const match = /^holdfast\/audit\/([0-9a-f]{64})\/([0-9a-f]{64})\/([1-9][0-9]{0,8})$/.exec(origin);
  if (match === null) return undefined;
  const [, cluster, agent, number] = match;
  return { cluster: cluster as ClusterId, agent: agent as AgentKey, number: Number(number) };
}

/** The text of a checkpoint, without extensions. `root` has 32 bytes. */
export function auditCheckpoint(
  name: AuditLogName,
  head: { readonly size: number; readonly root: Uint8Array },
): string {
  return encodeCheckpoint({ origin: auditOrigin(name), ...head, extensions: [] });
}

/** How the agent whose log it is signs. */
export function auditSigner(agent: AgentKey): CheckpointKey {
  return { name: `holdfast/${agent.slice(0, 16)}`, key: agent, type: 'ed25519' };
}

/** How another member cosigns. */
export function auditCosigner(agent: AgentKey): CheckpointKey {
  return { name: `holdfast/${agent.slice(0, 16)}`, key: agent, type: 'cosignature' };
}
