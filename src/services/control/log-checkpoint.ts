import { equal } from '../../base/bytes.ts';
import {
  type Checkpoint,
  type CheckpointKey,
  encodeCheckpoint,
  verifyCheckpoint,
} from '../../core/format/checkpoint.ts';
import { toBase64 } from '../../core/format/signed-note.ts';
import type { AgentKey, ClusterId } from '../../core/ids.ts';
import type { LogHead } from './log-heads.ts';

/** Text of the checkpoint that voters sign for a head of the control log (https://c2sp.org/tlog-checkpoint). */
export function checkpointText(cluster: ClusterId, generation: number, head: LogHead): string {
  const { size, root, stateHash } = head;
  const extensions = [`state ${toBase64(stateHash)}`];
  return encodeCheckpoint({ origin: originOf(cluster, generation), size, root, extensions });
}

/** Each generation is a log of its own. */
function originOf(cluster: ClusterId, generation: number): string {
  return `holdfast/control/${cluster}/${generation}`;
}

/** The key with which an agent cosigns. */
export function cosigner(agent: AgentKey): CheckpointKey {
  return { name: `holdfast/${agent.slice(0, 16)}`, key: agent, type: 'cosignature' };
}

/**
 * The checkpoint in a note that a majority of these voters have signed; undefined for any other note.
 * Its signed state hash is compared with `stateHash` where one is given.
 */
export function certified(
  note: string,
  options: { cluster: ClusterId; generation: number; voters: readonly AgentKey[] },
): Checkpoint | undefined {
  const { cluster, generation, voters } = options;
  const verdict = verifyCheckpoint(note, {
    origin: originOf(cluster, generation),
    keys: voters.map(cosigner),
    threshold: Math.floor(voters.length / 2) + 1,
  });
  return verdict.kind === 'verified' ? verdict.checkpoint : undefined;
}

/** Whether a checkpoint is of this head. */
export function isOf(checkpoint: Checkpoint, { size, root, stateHash }: LogHead): boolean {
  return (
    checkpoint.size === size &&
    equal(checkpoint.root, root) &&
    checkpoint.extensions[0] === `state ${toBase64(stateHash)}`
  );
}
