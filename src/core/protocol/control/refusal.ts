import { HoldfastError } from '../../errors.ts';

/** What an entry does once it has been found valid. It must not fail. */
export type Change = () => void;

/** Why an entry is void. */
export function refusal(reason: string): HoldfastError {
  return new HoldfastError('not-permitted', reason);
}

/** Two signed words that contradict each other; `agent` has said both. */
export function contradiction(agent: string, reason: string): HoldfastError {
  return new HoldfastError('equivocation', reason, { details: { agent } });
}

/** Where a command stands, and who signed it. */
export type CommandPlace = {
  readonly generation: number;
  readonly index: number;
  readonly timeMs: number;
  readonly signers: ReadonlySet<string>;
  readonly envelope: Uint8Array;
  /** Envelopes that together hold the command and its signatures: this one alone, or those of a proposal. */
  readonly evidence: readonly Uint8Array[];
  /** It has waited as long as it must. */
  readonly isRipe?: boolean;
};
