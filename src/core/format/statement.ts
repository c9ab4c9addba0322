import { create, toBinary } from '@bufbuild/protobuf';
import { equal } from '../../base/bytes.ts';
import { type AgentKey, type DatasetId, idBytes } from '../ids.ts';
import { limits } from '../limits.ts';
import { decodeMessage, exactBytes, idField, integer, malformed, textLike } from './field.ts';
import { type Statement as Message, StatementSchema } from './gen/holdfast/v1/cluster_pb.js';
import type { StatementBody } from './records.ts';
import { bodyFrom, bodyMessage } from './statement-body.ts';

export type { StatementBody };

/** One entry of one writer's sequence; (writer, stream) names the sequence. */
export type Statement = {
  /** Statement key of an agent, or an operator's key. */
  readonly writer: AgentKey;
  /** What `streamOf` says of the body. */
  readonly stream: string;
  /** From 1. */
  readonly sequence: number;
  /** 32 bytes: hash of the entry before; zeros for the first and only for it. */
  readonly previous: Uint8Array;
  /** By the writer's clock. */
  readonly timeMs: number;
  readonly body: StatementBody;
};

/** Invites, admissions, addresses and datasets. */
export const clusterStream = 'cluster';

export const receiptStream = 'receipts';

export const drillStream = 'drills';

/** The stream of a dataset's manifests. */
export function manifestStream(dataset: DatasetId): string {
  return `manifests/${dataset}`;
}

/** The only stream in which such a statement may stand: readers rely on a stream holding one matter. */
export function streamOf(body: StatementBody): string {
  if (body.kind === 'manifest') return manifestStream(body.dataset);
  if (body.kind === 'receipt') return receiptStream;
  return body.kind === 'drill' ? drillStream : clusterStream;
}

const zeroHash = new Uint8Array(32);

/** True for the `previous` of a sequence's first entry. */
export function isZeroHash(hash: Uint8Array): boolean {
  return equal(hash, zeroHash);
}

/**
 * The payload bytes to be signed. They are decoded again, so that nobody signs what every peer would refuse.
 * @throws HoldfastError bad-encoding
 */
export function encodeStatement(statement: Statement): Uint8Array {
  const payload = toBinary(
    StatementSchema,
    create(StatementSchema, {
      writer: idBytes(statement.writer),
      stream: statement.stream,
      sequence: BigInt(statement.sequence),
      previous: statement.previous,
      timeMs: BigInt(statement.timeMs),
      body: bodyMessage(statement.body),
    }),
  );
  decodeStatement(payload);
  return payload;
}

/**
 * The statement in a payload, every field in its bounds. Says nothing of who signed it.
 * @throws HoldfastError bad-encoding
 */
export function decodeStatement(payload: Uint8Array): Statement {
  const message: Message = decodeMessage(StatementSchema, payload, limits.statementSizeMax);
  const body = bodyFrom(message.body);
  const sequence = integer(message.sequence, { min: 1, max: 2 ** 48 }, 'sequence');
  const previous = exactBytes(message.previous, 32, 'previous');
  if (isZeroHash(previous) !== (sequence === 1)) {
    throw malformed('previous must be zeros for the first entry and only for it');
  }
  if (message.stream !== streamOf(body)) {
    throw malformed(`a ${body.kind} may not stand in this stream`);
  }
  return {
    writer: idField(message.writer, 32, 'writer'),
    stream: textLike(message.stream, /^[a-z0-9/]{1,64}$/, 'stream'),
    sequence,
    previous,
    timeMs: integer(message.timeMs, { min: 0, max: Number.MAX_SAFE_INTEGER }, 'time'),
    body,
  };
}
