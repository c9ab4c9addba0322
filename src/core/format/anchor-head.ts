import type { MessageInitShape } from '@bufbuild/protobuf';
import { idBytes } from '../ids.ts';
import type { AnchorHead } from './control-records.ts';
import { idField, integer } from './field.ts';
import type { AnchorHeadSchema, AnchorHead as Message } from './gen/holdfast/v1/control_pb.js';

/** The anchored head in a message. @throws HoldfastError bad-encoding */
export function headFrom(message: Message): AnchorHead {
  return {
    writer: idField(message.writer, 32, 'writer'),
    dataset: idField(message.dataset, 16, 'dataset'),
    sequence: integer(message.sequence, { min: 1, max: 2 ** 48 }, 'sequence'),
    hash: idField(message.hash, 32, 'hash of a head'),
  };
}

/** The message of an anchored head. */
export function headMessage(head: AnchorHead): MessageInitShape<typeof AnchorHeadSchema> {
  return {
    writer: idBytes(head.writer),
    dataset: idBytes(head.dataset),
    sequence: BigInt(head.sequence),
    hash: idBytes(head.hash),
  };
}
