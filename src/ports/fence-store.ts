import type { Fence } from '../core/format/control-records.ts';
import type { AgentKey } from '../core/ids.ts';
import type { RecordStore } from './record-store.ts';

/** A voter's one word on a slot. */
export type StoredVote = {
  /** Undefined: abandon. */
  readonly target: AgentKey | undefined;
  readonly fence: Fence;
};

/**
 * What this host has promised and must not forget: whom it obeys, and how it has voted. Names are 1 to 160 of
 * a-z 0-9 . _ -. A record that is damaged is never read as none.
 */
export interface FenceStore {
  /** The highest fence seen under this name. @throws HoldfastError corrupt | io-error */
  fence(name: string): Promise<Fence | undefined>;
  /**
   * Remembers a fence; durable when resolved. The one that stands is taken again.
   * @throws HoldfastError not-permitted (a higher one stands; its details name it) | corrupt | disk-full | io-error
   */
  raise(name: string, fence: Fence): Promise<void>;
  /** @throws HoldfastError corrupt | io-error */
  vote(slot: string): Promise<StoredVote | undefined>;
  /**
   * Once for each slot; durable when resolved. The same vote is taken again.
   * @throws HoldfastError equivocation (it has voted otherwise) | corrupt | disk-full | io-error
   */
  castVote(slot: string, vote: StoredVote): Promise<void>;
}

/** How far each step of a plan is on this host. */
export type StepStore = RecordStore;
