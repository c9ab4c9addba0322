import { randomBytes } from 'node:crypto';
import { concat, utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { SocketKeys } from './sealed-socket.ts';

// What the two ends of a bulk line say before it is one: "Bulk lines" in proto/README.md.

/** A libp2p connection begins with another byte: one port serves both. */
const greeting = utf8('\0holdfast-bulk/1');
const nameSize = 16;
const keySize = 32;
/** Of what a caller says in the clear, in bytes. */
export const helloSize = greeting.length + nameSize;
export const ticketSize = nameSize + 2 * keySize;
/** The first record of the side that was called: it has the keys. */
export const welcome = Uint8Array.of(1);

/** Lets its holder open one socket, whose keys it brings. */
export type BulkTicket = {
  /** Random; says nothing, and opens nothing without the keys. */
  readonly name: Uint8Array;
  readonly callerKey: Uint8Array;
  readonly calledKey: Uint8Array;
};

export function newTicket(): BulkTicket {
  return decodeTicket(new Uint8Array(randomBytes(ticketSize)));
}

export function encodeTicket({ name, callerKey, calledKey }: BulkTicket): Uint8Array {
  return concat([name, callerKey, calledKey]);
}

/** @throws HoldfastError bad-encoding */
export function decodeTicket(bytes: Uint8Array): BulkTicket {
  if (bytes.length !== ticketSize) {
    throw new HoldfastError(
      'bad-encoding',
      `a ticket has ${ticketSize} bytes, not ${bytes.length}`,
    );
  }
  return {
    name: bytes.slice(0, nameSize),
    callerKey: bytes.slice(nameSize, nameSize + keySize),
    calledKey: bytes.slice(nameSize + keySize),
  };
}

export function keysOf(ticket: BulkTicket, side: 'caller' | 'called'): SocketKeys {
  const { callerKey, calledKey } = ticket;
  return side === 'caller'
    ? { own: callerKey, peer: calledKey }
    : { own: calledKey, peer: callerKey };
}

export function helloOf({ name }: BulkTicket): Uint8Array {
  return concat([greeting, name]);
}

/** Whether these are the first bytes of a bulk line, or may become so with more. */
export function beginsBulk(bytes: Uint8Array): boolean {
  return bytes.subarray(0, greeting.length).every((byte, i) => byte === greeting[i]);
}

/** @param hello helloSize bytes that begin a bulk line */
export function ticketNameIn(hello: Uint8Array): Uint8Array {
  return hello.subarray(greeting.length, helloSize);
}
