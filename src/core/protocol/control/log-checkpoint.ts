import { concat, equal } from '../../../base/bytes.ts';
import {
  type Checkpoint,
  type CheckpointKey,
  decodeCheckpoint,
  encodeCheckpoint,
  verifyCheckpoint,
} from '../../format/checkpoint.ts';
import { decodeNote, fromBase64, toBase64 } from '../../format/signed-note.ts';
import { type AgentKey, type ClusterId, idBytes, idOf } from '../../ids.ts';

/** The log's head at one size: what voters sign. */
export type LogHead = {
  readonly size: number;
  /** Of the Merkle tree over the entries, 32 bytes. */
  readonly root: Uint8Array;
  /** Of the control state, 32 bytes. */
  readonly stateHash: Uint8Array;
  /** Those of the control state, sorted. */
  readonly voters: readonly AgentKey[];
};

/** Text of the checkpoint that voters sign for a head of the control log (https://c2sp.org/tlog-checkpoint). */
export function checkpointText(cluster: ClusterId, generation: number, head: LogHead): string {
  const { size, root } = head;
  const extensions = [stateLine(head), votersLine(head)];
  return encodeCheckpoint({ origin: originOf(cluster, generation), size, root, extensions });
}

function stateLine({ stateHash }: LogHead): string {
  return `state ${toBase64(stateHash)}`;
}

function votersLine({ voters }: LogHead): string {
  return `voters ${toBase64(concat(voters.map(idBytes)))}`;
}

/** The voters that a checkpoint names; undefined when it names none. */
export function votersIn({ extensions }: Checkpoint): readonly AgentKey[] | undefined {
  const [, text = ''] = /^voters (.+)$/.exec(extensions[1] ?? '') ?? [];
  const bytes = fromBase64(text);
  if (bytes === undefined || bytes.length === 0 || bytes.length % 32 !== 0) return undefined;
  const count = bytes.length / 32;
  return Array.from({ length: count }, (_, i) => idOf(bytes.subarray(32 * i, 32 * i + 32)));
}

/** The same of a note whose signatures nobody looks at. @throws HoldfastError bad-encoding */
export function votersNamedIn(note: string): readonly AgentKey[] {
  return votersIn(decodeCheckpoint(decodeNote(note).text)) ?? [];
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
export function isOf(checkpoint: Checkpoint, head: LogHead): boolean {
  return (
    checkpoint.size === head.size &&
    equal(checkpoint.root, head.root) &&
    checkpoint.extensions[0] === stateLine(head) &&
    checkpoint.extensions[1] === votersLine(head)
  );
}
