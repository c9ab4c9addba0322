import { toHex } from '../../base/bytes.ts';
import { RecentMap } from '../../base/recent-map.ts';
import { KiB } from '../../base/units.ts';
import { hash } from '../crypto/hash.ts';
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
  if (envelope.length > rememberedSizeMax) return read(envelope);
  const name = toHex(hash('leaf', envelope));
  const known = peeked.get(name);
  if (known !== undefined) return known;
  const command = read(envelope);
  peeked.set(name, command);
  return command;
}

/** One command is looked at where it is signed, passed on, proposed, and told to whoever listens to the log. */
const peeked = new RecentMap<ControlCommand>(128);
const rememberedSizeMax = 8 * KiB;

function read(envelope: Uint8Array): ControlCommand {
  return decodeCommand(decodeMessage(EnvelopeSchema, envelope, limits.envelopeSizeMax).payload);
}

/** Whose signatures an envelope bears: no signature is checked. @throws HoldfastError bad-encoding */
export function signersIn(envelope: Uint8Array): readonly AgentKey[] {
  const { signatures } = decodeMessage(EnvelopeSchema, envelope, limits.envelopeSizeMax);
  return signatures.map(({ key }) => idField<AgentKey>(key, 32, 'signer'));
}
