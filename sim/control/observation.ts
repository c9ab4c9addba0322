import type { AgentKey } from '../../src/core/ids.ts';
import type { RaftStatus } from '../../src/core/protocol/raft/types.ts';
import type { AppliedCommand } from '../../src/services/control/control-access.ts';
import type { ControlLog } from '../../src/services/control/control-log.ts';
import type { StepTask } from '../../src/services/plan/step-actions.ts';

/** What an agent did, as the checkers see it. */
export type ControlSeen = { readonly agent: AgentKey; readonly name: string } & (
  | { readonly kind: 'started' }
  | { readonly kind: 'status'; readonly status: RaftStatus }
  /** Everything that has arrived so far is applied. */
  | { readonly kind: 'state'; readonly control: ControlLog }
  /** The end of the run has come. */
  | { readonly kind: 'rest'; readonly control: ControlLog }
  | { readonly kind: 'applied'; readonly command: AppliedCommand; readonly control: ControlLog }
  /** It has heard that a newer generation exists. */
  | { readonly kind: 'fenced'; readonly generation: number }
  /** Programs under a lease are started; the name of their dataset. */
  | { readonly kind: 'programs'; readonly dataset: string }
  /** A step begins at this worker. */
  | { readonly kind: 'deed'; readonly task: StepTask; readonly isUndo: boolean }
);

/** One thing that must never be, watched for. */
export interface ControlChecker {
  readonly name: string;
  /** @returns what is wrong, in words */
  observe(seen: ControlSeen): string | undefined;
}
