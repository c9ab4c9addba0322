import type { ControlBody } from '../../core/format/control-command.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { ApplyOutcome, ControlState } from '../../core/protocol/control/control-state.ts';
import type { RaftStatus } from '../../core/protocol/raft/types.ts';
import type { Cancel } from '../../ports/runtime.ts';

export type AppliedCommand = {
  readonly index: number;
  readonly generation: number;
  readonly body: ControlBody;
  readonly outcome: ApplyOutcome;
  /** As it stands in the log. */
  readonly envelope: Uint8Array;
};

/** What services may do with the control log: look at what it says, add to it, wait for it. */
export interface ControlAccess {
  /** As far as this host has applied the log; see `confirm`. Replaced when a snapshot is installed. */
  readonly state: ControlState;
  readonly self: AgentKey;
  status(): RaftStatus;
  /** Leader, and everything committed before its term has been applied here. */
  readonly isLeading: boolean;
  /**
   * Signs a command with this agent's key and `extraSecrets` (operators' keys), has it appended by whoever
   * leads, and waits until it has been applied here.
   * @throws HoldfastError no-quorum (nobody leads, or the answer is not known in time: it names who is missing)
   */
  submit(
    body: ControlBody,
    options?: Cancel & { extraSecrets?: readonly Uint8Array[]; timeoutMs?: number },
  ): Promise<ApplyOutcome & { readonly index: number }>;
  /** The same for a command that others have signed. `id`: of the command in it. */
  submitSigned(
    envelope: Uint8Array,
    options?: Cancel & { timeoutMs?: number },
  ): Promise<ApplyOutcome & { readonly index: number }>;
  /** Resolves when the state here is as new as anything committed before the call. @throws HoldfastError no-quorum */
  confirm(options?: Cancel & { timeoutMs?: number }): Promise<void>;
  /** Resolves when everything up to `index` of this generation has been applied here. @throws timeout */
  applied(index: number, options?: Cancel & { timeoutMs?: number }): Promise<void>;
  /** Called after each command was applied here, in order. Returns a function that stops it. */
  onApplied(listener: (command: AppliedCommand) => void): () => void;
  /** Called when leadership, term or configuration changed. */
  onStatus(listener: (status: RaftStatus) => void): () => void;
}
