import type { MessageInitShape } from '@bufbuild/protobuf';
import { idBytes } from '../ids.ts';
import { limits } from '../limits.ts';
import { idField, integer, malformed } from './field.ts';
import type { BlobRefSchema, BlobRef as Message } from './gen/holdfast/v1/manifest_pb.js';
import type { BlobRef } from './records.ts';

/** The message of a blob's place. */
export function blobRefMessage(blob: BlobRef): MessageInitShape<typeof BlobRefSchema> {
  return { ...blob, pack: idBytes(blob.pack) };
}

/** The place in a message: inside a pack and a frame of allowed size. @throws HoldfastError bad-encoding */
export function blobRefFrom(message: Message): BlobRef {
  const { frameSize, length } = message;
  if (message.frameOffset + frameSize > limits.packSizeMax) {
    throw malformed('the blob lies outside its pack');
  }
  if (message.offset + length > limits.frameSizeMax) {
    throw malformed('the blob lies outside its frame');
  }
  return {
    pack: idField(message.pack, 32, 'pack'),
    frame: integer(message.frame, { min: 0, max: limits.packFramesMax - 1 }, 'frame'),
    frameOffset: message.frameOffset,
    frameSize: integer(frameSize, { min: 1, max: limits.packSizeMax }, 'frame size'),
    offset: message.offset,
    length: integer(length, { min: 1, max: limits.frameSizeMax }, 'blob length'),
  };
}
