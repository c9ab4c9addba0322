import type { AgentKey } from '../../src/core/ids.ts';
import type {
  RaftEntry,
  RaftMessage,
  RaftStatus,
  RaftWrite,
} from '../../src/core/protocol/raft/types.ts';
import type { RaftDisk } from './disk.ts';
import type { DigestMachine } from './machine.ts';

/** What a member did, as the checkers see it: in order, with the disk as it is at that moment. */
export type Observation = { readonly member: AgentKey; readonly disk: RaftDisk } & (
  | { readonly kind: 'started' }
  /** The disk holds it already. */
  | { readonly kind: 'persisted'; readonly write: RaftWrite }
  | { readonly kind: 'sent'; readonly message: RaftMessage }
  /** The machine has applied it already. */
  | { readonly kind: 'applied'; readonly entry: RaftEntry; readonly machine: DigestMachine }
  | { readonly kind: 'installed'; readonly index: number; readonly machine: DigestMachine }
  | { readonly kind: 'role'; readonly status: RaftStatus }
  /** After every step. */
  | { readonly kind: 'stepped'; readonly status: RaftStatus }
  | { readonly kind: 'read-asked'; readonly id: number }
  | {
      readonly kind: 'read-answered';
      readonly id: number;
      readonly index: number;
      readonly applied: number;
    }
);

/** One thing that must never be, watched for. */
export interface Checker {
  readonly name: string;
  /** @returns what is wrong, in words */
  observe(seen: Observation): string | undefined;
}

export type Violation = { readonly at: number; readonly checker: string; readonly text: string };
