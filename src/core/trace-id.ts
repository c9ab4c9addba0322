import { fromHex, toHex, utf8 } from '../base/bytes.ts';
import { hash } from './crypto/hash.ts';
import { idBytes, idOf, type TraceId } from './ids.ts';

/** As in W3C Trace Context, so that logs can be laid beside traces of other programs. */
const traceSize = 16;
const spanSize = 8;

/**
 * Of one backup or restore. Nothing rests on it: it need not be secret, and where two were alike two stories would
 * stand under one name in the logs. So it takes no randomness. `who`: makes it another one than at other hosts.
 */
export function newTraceId(
  who: string,
  { nowMs, monotonicMs }: { nowMs: number; monotonicMs: number },
): TraceId {
  return idOf<TraceId>(
    hash('path', utf8(`trace ${who} ${nowMs} ${monotonicMs}`)).slice(0, traceSize),
  );
}

/** What a peer says it is doing; undefined where it says nothing, or anything else than such an id. */
export function traceFrom(bytes: Uint8Array): TraceId | undefined {
  return bytes.length === traceSize ? idOf<TraceId>(bytes) : undefined;
}

/** For a message; empty: none. */
export function traceBytes(trace: TraceId | undefined): Uint8Array {
  return trace === undefined ? new Uint8Array() : idBytes(trace);
}

/** The caller's own part of its trace, as a tracer names it: 16 hexadecimal characters. */
export function spanFrom(bytes: Uint8Array): string | undefined {
  return bytes.length === spanSize ? toHex(bytes) : undefined;
}

/** For a message; empty: none. */
export function spanBytes(span: string | undefined): Uint8Array {
  return (span === undefined ? undefined : fromHex(span)) ?? new Uint8Array();
}
