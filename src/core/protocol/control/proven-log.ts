import { codeOf } from '../../errors.ts';
import { openCommand } from '../../format/control-envelope.ts';
import { decodeLogImage } from '../../format/log-image.ts';
import type { Genesis } from '../../format/records.ts';
import type { AgentKey, ClusterId } from '../../ids.ts';
import { LogView } from '../log-view.ts';
import { ControlState } from './control-state.ts';
import { certified, isOf } from './log-checkpoint.ts';
import { isVouchedFor } from './vouch-book.ts';

/** What a host tells of the control log to somebody who knows the genesis alone. */
export type LogProof = {
  /** Checkpoint, a signed note. */
  readonly note: string;
  /** Of the log up to just there. */
  readonly image: Uint8Array;
  /** Envelope of the decree that has begun the generation; undefined in the first. */
  readonly decree: Uint8Array | undefined;
};

/** The state to which the log has led, at a size that a majority of the voters has signed. */
export type ProvenLog = { readonly state: ControlState; readonly size: number };

type Known = { readonly cluster: ClusterId; readonly known: readonly (readonly AgentKey[])[] };

/** An image of the log whose state nobody has judged yet. @throws HoldfastError bad-encoding */
export function readImage(
  image: Uint8Array,
  { genesis, cluster }: { readonly genesis: Genesis; readonly cluster: ClusterId },
): { state: ControlState; size: number; root: Uint8Array } {
  const { tree, state } = decodeLogImage(image);
  const decoded = ControlState.decode(state, genesis, cluster);
  return { state: decoded, size: tree.size, root: tree.root() };
}

/**
 * Whether a checkpoint is of this image, a majority of its voters has signed it, and those follow, vouched for step
 * by step, from voters that are known. Who votes by the image's own word proves nothing.
 */
export function isProven(
  note: string,
  { state, size, root }: ReturnType<typeof readImage>,
  { cluster, known }: Known,
): boolean {
  const { generation, config } = state;
  const { voters } = config;
  const links = state.vouches.all();
  if (!isVouchedFor(note, { cluster, generation, known, links })) return false;
  const checkpoint = certified(note, { cluster, generation, voters });
  const head = { size, root, stateHash: state.hash(), voters };
  return checkpoint !== undefined && isOf(checkpoint, head);
}

/** What the genesis alone proves of the log. @returns the log, or why it is not proven */
export function provenFromGenesis(
  proof: LogProof,
  cluster: { readonly genesis: Genesis; readonly cluster: ClusterId },
): ProvenLog | string {
  try {
    const image = readImage(proof.image, cluster);
    const first = firstVoters(proof, image.state);
    if (first === undefined) return 'the operators of now have not signed how its generation began';
    if (!isProven(proof.note, image, { cluster: cluster.cluster, known: [first] })) {
      return 'no voters that follow from the genesis have signed it';
    }
    return { state: image.state, size: image.size };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return (error as Error).message;
  }
}

/** Those who voted as a generation began. @throws HoldfastError */
function firstVoters(
  { decree }: LogProof,
  { generation, genesis, cluster, operators }: ControlState,
): readonly AgentKey[] | undefined {
  if (generation === 1) return [genesis.founder.statementKey];
  if (decree === undefined) return undefined;
  const { command, signers, generation: signedFor } = openCommand(decree, cluster);
  const { body } = command;
  if (body.kind !== 'decree' || body.generation !== generation || signedFor !== generation) {
    return undefined;
  }
  const view = new LogView(genesis);
  for (const { evidence } of operators.history) {
    if (evidence.length > 0) view.tell(view.provedBy(evidence, cluster));
  }
  const now = view.operators();
  const count = now.operators.filter(({ key }) => signers.has(key)).length;
  return count >= now.threshold ? body.voters : undefined;
}
