import { create, toBinary } from '@bufbuild/protobuf';
import { assert } from '../../base/assert.ts';
import { type ErrorCode, HoldfastError, isErrorCode } from '../../core/errors.ts';
import { decodeMessage, exactBytes, integer } from '../../core/format/field.ts';
import {
  PullRequestSchema,
  PullResponseSchema,
} from '../../core/format/gen/holdfast/v1/exchange_pb.js';
import { readPurposeFrom, readPurposeMessage } from '../../core/format/read-purpose.ts';
import { type ShardHead, shardHeadFrom, shardHeadMessage } from '../../core/format/shard.ts';
import { limits } from '../../core/limits.ts';
import { spanBytes, spanFrom, traceBytes, traceFrom } from '../../core/trace-id.ts';
import type { PullReply, PullRequest } from '../../ports/network.ts';

const packIdSize = 32;
const leavesMax = Math.ceil(limits.packSizeMax / limits.leafSize);
/** Ids and small numbers. */
export const pullRequestSizeMax = 256;
/** A shard head, which limits.ts keeps below the size of a fact, or a failure. */
export const pullResponseSizeMax = limits.factSizeMax;
/** Characters of a failure's message: for people, from a peer. */
const failureMessageMax = 500;

/** What a reply says before its bytes. */
export type PullHeader =
  | { readonly kind: 'bytes'; readonly size: number; readonly head?: () => ShardHead }
  | { readonly kind: 'failure'; readonly error: HoldfastError }
  /** The peer is alive, and the answer has not had its turn yet. */
  | { readonly kind: 'waits' };

export function encodePullRequest(request: PullRequest): Uint8Array {
  assert(request.pack.length === packIdSize, 'a pack id has 32 bytes');
  assert(request.count >= 1 && request.count <= limits.pullLeavesMax, 'a pull asks for few leaves');
  const { purpose, trace, span, ...rest } = request;
  const why = purpose === undefined ? {} : { purpose: readPurposeMessage(purpose) };
  return toBinary(
    PullRequestSchema,
    create(PullRequestSchema, { ...rest, ...why, trace: traceBytes(trace), span: spanBytes(span) }),
  );
}

/** @throws HoldfastError bad-encoding */
export function decodePullRequest(bytes: Uint8Array): PullRequest {
  const message = decodeMessage(PullRequestSchema, bytes, pullRequestSizeMax);
  const [trace, span] = [traceFrom(message.trace), spanFrom(message.span)];
  return {
    pack: exactBytes(message.pack, packIdSize, 'pack'),
    index: integer(message.index, { min: 0, max: limits.shardsMax - 1 }, 'shard index'),
    leaf: integer(message.leaf, { min: 0, max: leavesMax - 1 }, 'first leaf'),
    count: integer(message.count, { min: 1, max: limits.pullLeavesMax }, 'count of leaves'),
    withHead: message.withHead,
    ...(message.purpose === undefined ? {} : { purpose: readPurposeFrom(message.purpose) }),
    ...(trace === undefined ? {} : { trace }),
    ...(trace === undefined || span === undefined ? {} : { span }),
  };
}

export function encodePullReply({ bytes, head }: PullReply): Uint8Array {
  return toBinary(
    PullResponseSchema,
    create(PullResponseSchema, {
      size: bytes.length,
      ...(head === undefined ? {} : { head: shardHeadMessage(head) }),
    }),
  );
}

export function encodePullFailure(code: ErrorCode, text: string): Uint8Array {
  const message = text.slice(0, failureMessageMax).toWellFormed();
  return toBinary(PullResponseSchema, create(PullResponseSchema, { failure: { code, message } }));
}

export function encodePullWait(): Uint8Array {
  return toBinary(PullResponseSchema, create(PullResponseSchema, { waits: true }));
}

/** The head is checked only when it is called for: its failure must not lose the bytes that follow. */
export function decodePullHeader(bytes: Uint8Array, request: PullRequest): PullHeader {
  const message = decodeMessage(PullResponseSchema, bytes, pullResponseSizeMax);
  const { size, head, failure, waits } = message;
  if (waits) return { kind: 'waits' };
  if (failure !== undefined) return { kind: 'failure', error: failureOf(failure) };
  integer(size, { min: 0, max: request.count * limits.leafSize }, 'size of a pulled range');
  return {
    kind: 'bytes',
    size,
    ...(head === undefined ? {} : { head: () => shardHeadFrom(head) }),
  };
}

function failureOf({ code, message }: { code: string; message: string }): HoldfastError {
  return new HoldfastError(
    isErrorCode(code) ? code : 'peer-refused',
    `the peer says: ${message.slice(0, failureMessageMax)}`,
  );
}
