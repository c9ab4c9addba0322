import { toHex } from '../../../base/bytes.ts';
import { decodeCommand } from '../../format/control-command.ts';
import { openCommand } from '../../format/control-envelope.ts';
import { commandIn } from '../../format/control-peek.ts';
import type { CommandHash, ControlCommand } from '../../format/control-records.ts';
import { statementHash } from '../../format/envelope.ts';
import { required } from '../../format/field.ts';
import type { ClusterId } from '../../ids.ts';
import { refusal } from './refusal.ts';

/** Names a command by what its signatures cover, as an envelope's hash does. */
export function commandHash(
  payload: Uint8Array,
  { cluster, generation }: { readonly cluster: ClusterId; readonly generation: number },
): CommandHash {
  const signed = { type: 'control', cluster, generation: BigInt(generation), payload } as const;
  return toHex(statementHash(signed)) as CommandHash;
}

/**
 * The command in evidence that has been checked before: one envelope that holds it, or one that proposes it
 * with others that approve. @throws HoldfastError bad-encoding
 */
export function commandOfEvidence(evidence: readonly Uint8Array[]): ControlCommand {
  const command = commandIn(required(evidence[0], 'evidence'));
  return command.body.kind === 'propose' ? decodeCommand(command.body.command) : command;
}

/**
 * The command in evidence, and who has signed it, every signature checked.
 * @throws HoldfastError bad-encoding | bad-signature | not-permitted (an envelope that says something else)
 */
export function openEvidence(
  evidence: readonly Uint8Array[],
  cluster: ClusterId,
): { command: ControlCommand; signers: ReadonlySet<string> } {
  const [first, ...approvals] = evidence;
  const { command, generation, signers } = openCommand(required(first, 'evidence'), cluster);
  if (command.body.kind !== 'propose') return { command, signers };
  const payload = command.body.command;
  const hash = commandHash(payload, { cluster, generation });
  const all = new Set(signers);
  for (const envelope of approvals) {
    const { command: approval, signers: more } = openCommand(envelope, cluster);
    if (approval.body.kind !== 'approve' || approval.body.hash !== hash) {
      throw refusal('an envelope approves something else');
    }
    for (const signer of more) all.add(signer);
  }
  return { command: decodeCommand(payload), signers: all };
}
