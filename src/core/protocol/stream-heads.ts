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
  type HeadsResponse,
  type StreamHead as Message,
  type StreamHeadSchema,
} from '../format/gen/holdfast/v1/exchange_pb.js';
import { clusterStream } from '../format/statement.ts';
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

/** The name of one sequence. `writer`: hexadecimal. */
export type StreamName = { readonly writer: string; readonly stream: string };

/**
 * The order of pages: what writers say to the cluster is on the first ones, since it decides whose other sequences
 * are wanted. Below 0: `a` comes first.
 */
export function compareStreams(a: StreamName, b: StreamName): number {
  const rank = (one: StreamName): number => (one.stream === clusterStream ? 0 : 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (a.writer !== b.writer) return a.writer < b.writer ? -1 : 1;
  if (a.stream === b.stream) return 0;
  return a.stream < b.stream ? -1 : 1;
}

/**
 * The first so many heads behind a place in that order, and whether there are more. Within a page they keep the order
 * in which this host learnt of them: of two members that claim one dataset, the one known first counts.
 */
export function headPage<Head extends StreamName>(
  heads: readonly Head[],
  { after, countMax }: { after: StreamName | undefined; countMax: number },
): { readonly heads: readonly Head[]; readonly more: boolean } {
  const rest = heads.filter((head) => after === undefined || compareStreams(head, after) > 0);
  if (rest.length <= countMax) return { heads: rest, more: false };
  const page = new Set(rest.toSorted(compareStreams).slice(0, countMax));
  return { heads: rest.filter((head) => page.has(head)), more: true };
}

/**
 * The heads of one page that a peer claims, all behind `after`: so pages come to an end, and no sequence is named
 * twice. @throws HoldfastError bad-encoding
 */
export function pageFrom(
  { heads: messages, more }: Pick<HeadsResponse, 'heads' | 'more'>,
  after: StreamName | undefined,
): readonly StreamHead[] {
  const heads = headsFrom(messages);
  if (after !== undefined && heads.some((head) => compareStreams(head, after) <= 0)) {
    throw malformed('a peer names sequences out of their order');
  }
  if (more && heads.length === 0)
    throw malformed('a peer names no sequence, and says there are more');
  return heads;
}

/** Behind which the next page begins. */
export function lastOf(page: readonly StreamHead[]): StreamHead | undefined {
  return page.toSorted(compareStreams).at(-1);
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
