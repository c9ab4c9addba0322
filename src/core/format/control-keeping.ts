import { assertNever } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import { type AgentKey, type DatasetId, idBytes } from '../ids.ts';
import { headFrom, headMessage } from './anchor-head.ts';
import { type BodyMessage, hexBytes, reasonFrom } from './control-field.ts';
import { controlLimits } from './control-limits.ts';
import type {
  BodyOf,
  CommandId,
  ControlBody,
  Hold,
  SequenceRange,
  SnapshotSelection,
} from './control-records.ts';
import { atMost, exactBytes, idField, integer, malformed, required } from './field.ts';
import type {
  ForgetCommand,
  HoldCommand,
  ControlCommand as Message,
  SequenceRange as RangeMessage,
} from './gen/holdfast/v1/control_pb.js';

type KeepingMessage = Extract<
  Message['body'],
  {
    case:
      | 'thaw'
      | 'hold'
      | 'release'
      | 'forget'
      | 'undelete'
      | 'expire'
      | 'confirmExpiry'
      | 'unlock'
      | 'quarantine'
      | 'clearQuarantine';
  }
>;

type KeepingKind =
  | 'thaw'
  | 'hold'
  | 'release'
  | 'forget'
  | 'undelete'
  | 'expire'
  | 'confirm-expiry'
  | 'unlock'
  | 'quarantine'
  | 'clear-quarantine';

const anySequence = { min: 1, max: 2 ** 48 };

/** A body about what is kept and what expires. @throws HoldfastError bad-encoding */
export function keepingFrom(message: KeepingMessage): ControlBody {
  switch (message.case) {
    case 'thaw':
      return { kind: 'thaw', ...thawFrom(message.value) };
    case 'hold':
      return { kind: 'hold', ...holdFrom(message.value) };
    case 'release': {
      const { hold, reason } = message.value;
      return { kind: 'release', hold: commandIdFrom(hold), reason: reasonFrom(reason) };
    }
    case 'forget':
    case 'undelete':
    case 'unlock':
      return { kind: message.case, ...selectionFrom(message.value) };
    case 'expire': {
      const head = headFrom(required(message.value.head, 'head'));
      return { kind: 'expire', head, ranges: someRangesFrom(message.value.ranges) };
    }
    case 'confirmExpiry':
      return { kind: 'confirm-expiry', expiry: commandIdFrom(message.value.expiry) };
    case 'quarantine': {
      const { sequence, reason } = message.value;
      const from = integer(sequence, anySequence, 'sequence');
      const ids = streamFrom(message.value);
      return { kind: 'quarantine', ...ids, sequence: from, reason: reasonFrom(reason) };
    }
    case 'clearQuarantine':
      return { kind: 'clear-quarantine', ...streamFrom(message.value) };
    default:
      return assertNever(message);
  }
}

/** The message of such a body. */
export function keepingMessage(body: BodyOf<KeepingKind>): BodyMessage {
  switch (body.kind) {
    case 'thaw':
      return { case: 'thaw', value: { agent: idBytes(body.agent), freeze: body.freeze } };
    case 'hold':
      return { case: 'hold', value: holdMessage(body) };
    case 'release':
      return { case: 'release', value: { hold: hexBytes(body.hold), reason: body.reason } };
    case 'forget':
    case 'undelete':
    case 'unlock': {
      const { ranges, reason } = body;
      const value = { ...streamMessage(body), ranges: ranges.map(rangeMessage), reason };
      return { case: body.kind, value };
    }
    case 'expire': {
      const { head, ranges } = body;
      return {
        case: 'expire',
        value: { head: headMessage(head), ranges: ranges.map(rangeMessage) },
      };
    }
    case 'confirm-expiry':
      return { case: 'confirmExpiry', value: { expiry: hexBytes(body.expiry) } };
    case 'quarantine': {
      const { sequence, reason } = body;
      const value = { ...streamMessage(body), sequence: BigInt(sequence), reason };
      return { case: 'quarantine', value };
    }
    case 'clear-quarantine':
      return { case: 'clearQuarantine', value: streamMessage(body) };
    default:
      return assertNever(body);
  }
}

/** The ranges in a message: ascending, apart from each other. @throws HoldfastError bad-encoding */
export function rangesFrom(messages: RangeMessage[], countMax: number): SequenceRange[] {
  const ranges = atMost(messages, countMax, 'ranges').map(({ first, last }) => ({
    first: integer(first, anySequence, 'first of a range'),
    last: integer(last, anySequence, 'last of a range'),
  }));
  for (const [i, { first, last }] of ranges.entries()) {
    const before = ranges[i - 1];
    // Ranges that touch would be one range: one set of snapshots has one encoding.
    if (last < first || (before !== undefined && first <= before.last + 1)) {
      throw malformed('ranges are not ascending and apart');
    }
  }
  return ranges;
}

/** The message of a range. */
export function rangeMessage({ first, last }: SequenceRange): { first: bigint; last: bigint } {
  return { first: BigInt(first), last: BigInt(last) };
}

/** The hold in a message. @throws HoldfastError bad-encoding */
export function holdFrom({ dataset, writer, sequence, reason }: HoldCommand): Hold {
  const isWhole = writer.length === 0;
  if (isWhole && sequence !== 0n) throw malformed('a hold on a whole dataset names no snapshot');
  return {
    dataset: idField<DatasetId>(dataset, 16, 'dataset'),
    snapshot: isWhole
      ? undefined
      : {
          writer: idField<AgentKey>(writer, 32, 'writer'),
          sequence: integer(sequence, anySequence, 'sequence'),
        },
    reason: reasonFrom(reason),
  };
}

/** The message of a hold. */
export function holdMessage({ dataset, snapshot, reason }: Hold): {
  dataset: Uint8Array;
  writer: Uint8Array;
  sequence: bigint;
  reason: string;
} {
  return {
    dataset: idBytes(dataset),
    writer: snapshot === undefined ? new Uint8Array() : idBytes(snapshot.writer),
    sequence: BigInt(snapshot?.sequence ?? 0),
    reason,
  };
}

/** Which freeze of which agent is over. @throws HoldfastError bad-encoding */
export function thawFrom(message: { agent: Uint8Array; freeze: number }): {
  agent: AgentKey;
  freeze: number;
} {
  return {
    agent: idField<AgentKey>(message.agent, 32, 'agent'),
    freeze: integer(message.freeze, { min: 1, max: 0xffff_ffff }, 'number of a freeze'),
  };
}

/** The id of a command. @throws HoldfastError bad-encoding */
export function commandIdFrom(bytes: Uint8Array): CommandId {
  return toHex(exactBytes(bytes, 16, 'command id')) as CommandId;
}

function selectionFrom(
  message: ForgetCommand | Omit<ForgetCommand, '$typeName'>,
): SnapshotSelection {
  const { ranges, reason } = message;
  return { ...streamFrom(message), ranges: someRangesFrom(ranges), reason: reasonFrom(reason) };
}

function someRangesFrom(messages: RangeMessage[]): SequenceRange[] {
  if (messages.length === 0) throw malformed('no snapshot is named');
  return rangesFrom(messages, controlLimits.rangesMax);
}

function streamFrom(message: { dataset: Uint8Array; writer: Uint8Array }): {
  dataset: DatasetId;
  writer: AgentKey;
} {
  return {
    dataset: idField<DatasetId>(message.dataset, 16, 'dataset'),
    writer: idField<AgentKey>(message.writer, 32, 'writer'),
  };
}

function streamMessage({ dataset, writer }: { dataset: DatasetId; writer: AgentKey }): {
  dataset: Uint8Array;
  writer: Uint8Array;
} {
  return { dataset: idBytes(dataset), writer: idBytes(writer) };
}
