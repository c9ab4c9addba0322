import { create, toBinary } from '@bufbuild/protobuf';
import { equal, toHex } from '../../base/bytes.ts';
import { limits } from '../limits.ts';
import { bodyFrom } from './control-body.ts';
import { hexBytes } from './control-field.ts';
import { bodyMessage } from './control-message.ts';
import type { CommandId, ControlCommand } from './control-records.ts';
import { decodeMessage, exactBytes, integer, malformed } from './field.ts';
import { ControlCommandSchema } from './gen/holdfast/v1/control_pb.js';

export type { ControlBody, ControlCommand } from './control-records.ts';

/**
 * The payload bytes to be signed. They are decoded again, so that nobody signs what every member would void.
 * @throws HoldfastError bad-encoding
 */
export function encodeCommand(command: ControlCommand): Uint8Array {
  const payload = toBinary(
    ControlCommandSchema,
    create(ControlCommandSchema, {
      id: hexBytes(command.id),
      timeMs: BigInt(command.timeMs),
      body: bodyMessage(command.body),
    }),
  );
  decodeCommand(payload);
  return payload;
}

/**
 * The command in a payload, every field in its bounds. Says nothing of who signed it.
 * @throws HoldfastError bad-encoding
 */
export function decodeCommand(payload: Uint8Array): ControlCommand {
  const message = decodeMessage(ControlCommandSchema, payload, limits.envelopeSizeMax);
  // A member that passed over what a later version added would reach another state than that version.
  if (!equal(toBinary(ControlCommandSchema, message), payload)) {
    throw malformed('the command is not encoded in the one allowed way');
  }
  return {
    id: toHex(exactBytes(message.id, 16, 'command id')) as CommandId,
    timeMs: integer(message.timeMs, { min: 0, max: Number.MAX_SAFE_INTEGER }, 'time'),
    body: bodyFrom(message.body),
  };
}
