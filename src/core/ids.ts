import { fromHex, toHex } from '../base/bytes.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Hash of the genesis bytes, 64 hexadecimal characters. */
export type ClusterId = Branded<'ClusterId'>;
/** Hash of a pack's code and shard roots, 64 hexadecimal characters. */
export type PackId = Branded<'PackId'>;
/** 16 random bytes, 32 hexadecimal characters. */
export type DatasetId = Branded<'DatasetId'>;
/** Hash of a signed statement, 64 hexadecimal characters. A manifest's is the snapshot id. */
export type StatementHash = Branded<'StatementHash'>;
/** Hash of a fact, 64 hexadecimal characters. */
export type FactHash = Branded<'FactHash'>;
/** Ed25519 public key of a libp2p identity, 64 hexadecimal characters. */
export type PeerKey = Branded<'PeerKey'>;
/** Ed25519 public key that signs statements, 64 hexadecimal characters. */
export type AgentKey = Branded<'AgentKey'>;
/** Of one backup or restore, for the logs of all agents that take part: 32 hexadecimal characters. */
export type TraceId = Branded<'TraceId'>;

type Id = ClusterId | PackId | DatasetId | StatementHash | FactHash | PeerKey | AgentKey | TraceId;

/** The hexadecimal id of these bytes. The caller says which kind of id they are. */
export function idOf<T extends Id>(bytes: Uint8Array): T {
  return toHex(bytes) as T;
}

/** The bytes of an id. */
export function idBytes(id: Id): Uint8Array {
  return fromHex(id) as Uint8Array;
}

/** The short form that people read and type: 8 characters. */
export function shortId(id: Id): string {
  return id.slice(0, 8);
}
