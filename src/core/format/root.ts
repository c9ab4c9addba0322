import { create, toBinary } from '@bufbuild/protobuf';
import { HoldfastError } from '../errors.ts';
import { limits } from '../limits.ts';
import { blobRefFrom, blobRefMessage } from './blob-ref.ts';
import { atMost, boundedBytes, decodeMessage, exactBytes, integer, required } from './field.ts';
import { type IndexSegmentRef as RefMessage, RootSchema } from './gen/holdfast/v1/manifest_pb.js';
import type { IndexSegmentRef, Root } from './records.ts';

/** Unstable files that a root names; the manifest counts all of them. */
export const unstableMax = 1000;

/**
 * The bytes of a Root message, decoded again: nobody seals what no restore can read. Unstable files beyond `unstableMax` are left out.
 * @throws HoldfastError limit-exceeded (it must fit one frame) | bad-encoding
 */
export function encodeRoot(root: Root): Uint8Array {
  const bytes = toBinary(
    RootSchema,
    create(RootSchema, {
      tree: [...root.tree],
      index: root.index.map(({ blob, count }) => ({ blob: blobRefMessage(blob), count })),
      paths: [...root.paths],
      idKey: root.idKey,
      unstable: root.unstable.slice(0, unstableMax).map((one) => ({ ...one })),
      host: root.host,
    }),
  );
  if (bytes.length > limits.frameSizeMax) {
    const details = { size: bytes.length, sizeMax: limits.frameSizeMax };
    throw new HoldfastError('limit-exceeded', 'the root of a snapshot is too large', { details });
  }
  decodeRoot(bytes);
  return bytes;
}

/**
 * The root in these bytes. Its texts are as the source wrote them: whoever shows them escapes them, since
 * refusing one here would make a whole snapshot unreadable. @throws HoldfastError bad-encoding
 */
export function decodeRoot(bytes: Uint8Array): Root {
  const message = decodeMessage(RootSchema, bytes, limits.frameSizeMax);
  const pathSize = { min: 1, max: limits.frameSizeMax };
  return {
    tree: message.tree.map((id) => exactBytes(id, 32, 'chunk id')),
    index: message.index.map(indexSegmentRefFrom),
    paths: message.paths.map((path) => boundedBytes(path, pathSize, 'path')),
    idKey: exactBytes(message.idKey, 32, 'id key'),
    unstable: atMost(message.unstable, unstableMax, 'unstable files').map(({ path, reason }) => ({
      path: boundedBytes(path, pathSize, 'path'),
      reason,
    })),
    host: message.host,
  };
}

function indexSegmentRefFrom(message: RefMessage): IndexSegmentRef {
  return {
    blob: blobRefFrom(required(message.blob, 'place of an index segment')),
    count: integer(message.count, { min: 1, max: 0xffff_ffff }, 'count of index records'),
  };
}
