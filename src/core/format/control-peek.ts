import type { AgentKey } from '../ids.ts';
import { limits } from '../limits.ts';
import { decodeCommand } from './control-command.ts';
import type { ControlCommand } from './control-records.ts';
import { decodeMessage, idField } from './field.ts';
import { EnvelopeSchema } from './gen/holdfast/v1/cluster_pb.js';

/**
 * The command in an envelope that is, or is going to be, judged elsewhere: no signature is checked.
 * @throws HoldfastError bad-encoding
 */
export function commandIn(envelope: Uint8Array): ControlCommand {
  return decodeCommand(decodeMessage(EnvelopeSchema, envelope, limits.envelopeSizeMax).payload);
}

/** Whose signatures an envelope bears: no signature is checked. @throws HoldfastError bad-encoding */
export function signersIn(envelope: Uint8Array): readonly AgentKey[] {
  const { signatures } = decodeMessage(EnvelopeSchema, envelope, limits.envelopeSizeMax);
  return signatures.map(({ key }) => idField<AgentKey>(key, 32, 'signer'));
}
