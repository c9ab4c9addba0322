import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { assertNever } from '../../base/assert.ts';
import { type AgentKey, idBytes } from '../ids.ts';
import { limits } from '../limits.ts';
import { decodeConfig, encodeConfig } from '../protocol/raft/config-codec.ts';
import type { RaftEntry, RaftMessage, RaftMessageBody } from '../protocol/raft/types.ts';
import { wordFrom } from './control-field.ts';
import { atMost, decodeMessage, idField, integer, malformed } from './field.ts';
import {
  RaftEntrySchema,
  RaftMessageSchema,
  type RaftEntry as WireEntry,
  type RaftMessage as WireMessage,
} from './gen/holdfast/v1/raft_pb.js';

const entryKinds = ['noop', 'config', 'command'] as const;
const count = { min: 0, max: Number.MAX_SAFE_INTEGER };
/** An entry of the smallest size takes a few bytes. */
const entriesMax = limits.messageSizeMax / 8;

type WireBody = NonNullable<MessageInitShape<typeof RaftMessageSchema>['body']>;

/** One message between members of the control log. */
export function encodeRaftMessage(message: RaftMessage): Uint8Array {
  return toBinary(
    RaftMessageSchema,
    create(RaftMessageSchema, {
      from: idBytes(message.from),
      to: idBytes(message.to),
      generation: BigInt(message.generation),
      term: BigInt(message.term),
      body: wireBody(message.body),
    }),
  );
}

/** Checks the form only; what makes sense is for Raft to judge. @throws HoldfastError bad-encoding */
export function decodeRaftMessage(bytes: Uint8Array): RaftMessage {
  const message = decodeMessage(RaftMessageSchema, bytes, limits.messageSizeMax);
  return {
    from: idField<AgentKey>(message.from, 32, 'sender'),
    to: idField<AgentKey>(message.to, 32, 'receiver'),
    generation: integer(message.generation, count, 'generation'),
    term: integer(message.term, count, 'term'),
    body: bodyFrom(message.body),
  };
}

/** One entry of the control log: also what its Merkle tree is built over. */
export function encodeRaftEntry(entry: RaftEntry): Uint8Array {
  return toBinary(RaftEntrySchema, create(RaftEntrySchema, wireEntry(entry)));
}

/** @throws HoldfastError bad-encoding */
export function decodeRaftEntry(bytes: Uint8Array): RaftEntry {
  return entryFrom(decodeMessage(RaftEntrySchema, bytes, limits.messageSizeMax));
}

function wireEntry({ index, term, kind, payload }: RaftEntry) {
  return { index: BigInt(index), term: BigInt(term), kind, payload };
}

function entryFrom({ index, term, kind, payload }: WireEntry): RaftEntry {
  return {
    index: integer(index, { ...count, min: 1 }, 'index'),
    term: integer(term, count, 'term'),
    kind: wordFrom(kind, entryKinds, 'kind of an entry'),
    // A view would keep the whole message in memory.
    payload: payload.slice(),
  };
}

function wireBody(body: RaftMessageBody): WireBody {
  switch (body.kind) {
    case 'vote-request': {
      const { isPreVote, isTransfer, lastIndex, lastTerm } = body;
      const place = { lastIndex: BigInt(lastIndex), lastTerm: BigInt(lastTerm) };
      return { case: 'voteRequest', value: { isPreVote, isTransfer, ...place } };
    }
    case 'vote-response': {
      const { isPreVote, isGranted } = body;
      return { case: 'voteResponse', value: { isPreVote, isGranted } };
    }
    case 'append-request':
      return {
        case: 'appendRequest',
        value: {
          previousIndex: BigInt(body.previousIndex),
          previousTerm: BigInt(body.previousTerm),
          entries: body.entries.map(wireEntry),
          commit: BigInt(body.commit),
          round: BigInt(body.round),
        },
      };
    case 'append-response':
      return {
        case: 'appendResponse',
        value: {
          isAccepted: body.isAccepted,
          matchIndex: BigInt(body.matchIndex),
          hintTerm: BigInt(body.hintTerm),
          round: BigInt(body.round),
        },
      };
    case 'snapshot-request':
      return {
        case: 'snapshotRequest',
        value: {
          index: BigInt(body.index),
          snapshotTerm: BigInt(body.snapshotTerm),
          config: encodeConfig(body.config),
          offset: BigInt(body.offset),
          bytes: body.bytes,
          totalSize: BigInt(body.totalSize),
          round: BigInt(body.round),
        },
      };
    case 'snapshot-response':
      return {
        case: 'snapshotResponse',
        value: {
          index: BigInt(body.index),
          nextOffset: BigInt(body.nextOffset),
          round: BigInt(body.round),
        },
      };
    case 'timeout-now':
      return { case: 'timeoutNow', value: {} };
    case 'fenced':
      return { case: 'fenced', value: {} };
    default:
      return assertNever(body);
  }
}

function bodyFrom(body: WireMessage['body']): RaftMessageBody {
  const number = (value: bigint): number => integer(value, count, 'a number of a message');
  switch (body.case) {
    case 'voteRequest': {
      const { isPreVote, isTransfer, lastIndex, lastTerm } = body.value;
      const place = { lastIndex: number(lastIndex), lastTerm: number(lastTerm) };
      return { kind: 'vote-request', isPreVote, isTransfer, ...place };
    }
    case 'voteResponse': {
      const { isPreVote, isGranted } = body.value;
      return { kind: 'vote-response', isPreVote, isGranted };
    }
    case 'appendRequest':
      return {
        kind: 'append-request',
        previousIndex: number(body.value.previousIndex),
        previousTerm: number(body.value.previousTerm),
        entries: atMost(body.value.entries, entriesMax, 'entries').map(entryFrom),
        commit: number(body.value.commit),
        round: number(body.value.round),
      };
    case 'appendResponse':
      return {
        kind: 'append-response',
        isAccepted: body.value.isAccepted,
        matchIndex: number(body.value.matchIndex),
        hintTerm: number(body.value.hintTerm),
        round: number(body.value.round),
      };
    case 'snapshotRequest':
      return {
        kind: 'snapshot-request',
        index: number(body.value.index),
        snapshotTerm: number(body.value.snapshotTerm),
        config: decodeConfig(body.value.config),
        offset: number(body.value.offset),
        bytes: body.value.bytes.slice(),
        totalSize: number(body.value.totalSize),
        round: number(body.value.round),
      };
    case 'snapshotResponse':
      return {
        kind: 'snapshot-response',
        index: number(body.value.index),
        nextOffset: number(body.value.nextOffset),
        round: number(body.value.round),
      };
    case 'timeoutNow':
      return { kind: 'timeout-now' };
    case 'fenced':
      return { kind: 'fenced' };
    case undefined:
      throw malformed('a message of the control log says nothing');
    default:
      return assertNever(body);
  }
}
