import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  decodeMessage,
  exactBytes,
  idField,
  integer,
  malformed,
  textLike,
} from '../format/field.ts';
import {
  AnnouncementSchema,
  type StreamHead as Message,
  type StreamHeadSchema,
} from '../format/gen/holdfast/v1/exchange_pb.js';
import { type AgentKey, idBytes } from '../ids.ts';

/** The newest entry of one sequence, as somebody claims to hold it. */
export type StreamHead = {
  readonly writer: AgentKey;
  readonly stream: string;
  readonly sequence: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
};

/** One gossip message. */
export const announcementSizeMax = 32 * 1024;

/** Heads that surely fit one announcement: each takes at most 160 bytes. */
export const announcementHeadsMax = 200;

/** The message of a head. `writer`: hexadecimal. */
export function headMessage(head: {
  readonly writer: string;
  readonly stream: string;
  readonly sequence: number;
  readonly hash: Uint8Array;
}): MessageInitShape<typeof StreamHeadSchema> {
  const { stream, sequence, hash } = head;
  return { writer: idBytes(head.writer as AgentKey), stream, sequence: BigInt(sequence), hash };
}

/** At most so many heads; a writer with thousands of sequences leaves room for those of all others. */
export function fairHeads<Head extends { readonly writer: string }>(
  heads: readonly Head[],
  countMax: number,
): readonly Head[] {
  if (heads.length <= countMax) return heads;
  const counts = new Map<string, number>();
  const ranked = heads.map((head) => {
    const rank = counts.get(head.writer) ?? 0;
    counts.set(head.writer, rank + 1);
    return { head, rank };
  });
  return ranked
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, countMax)
    .map(({ head }) => head);
}

/** The heads that a peer claims: at most one of each sequence. @throws HoldfastError bad-encoding */
export function headsFrom(messages: readonly Message[]): StreamHead[] {
  const heads = new Map<string, StreamHead>();
  for (const { writer, stream, sequence, hash } of messages) {
    const head: StreamHead = {
      writer: idField<AgentKey>(writer, 32, 'writer of a head'),
      stream: textLike(stream, /^[a-z0-9/]{1,64}$/, 'stream of a head'),
      sequence: integer(sequence, { min: 1, max: 2 ** 48 }, 'sequence of a head'),
      hash: exactBytes(hash, 32, 'hash of a head'),
    };
    const name = `${head.writer}/${head.stream}`;
    // A repeated head would have us ask again and again.
    if (heads.has(name)) throw malformed('a peer names one sequence twice');
    heads.set(name, head);
  }
  return [...heads.values()];
}

/** The gossip message that names these heads, at most announcementHeadsMax of them. */
export function encodeAnnouncement(
  heads: readonly Parameters<typeof headMessage>[0][],
): Uint8Array {
  const message = create(AnnouncementSchema, { heads: heads.map(headMessage) });
  return toBinary(AnnouncementSchema, message);
}

/** @throws HoldfastError bad-encoding */
export function decodeAnnouncement(bytes: Uint8Array): StreamHead[] {
  return headsFrom(decodeMessage(AnnouncementSchema, bytes, announcementSizeMax).heads);
}
