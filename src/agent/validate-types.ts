import type { DrillReport } from '../core/policy/drill-report.ts';

/** The part of the agent's API by which a member looks at everything without any key. */
export interface ValidateApi {
  /** Signs what was found when this host is an auditor. @throws HoldfastError not-found | ambiguous */
  validate(request: ValidateRequest): AsyncIterable<ValidateEvent>;
}

export type ValidateRequest = {
  /** Name or id; undefined: all. */
  dataset?: string;
  /** Part of the packs that are read whole and decoded, 0 to 1; a few are in any case. */
  decodeShare: number;
};

export type ValidateEvent =
  | { type: 'status'; current: string; done: number }
  | { type: 'finding'; check: string; subject: string; detail: string }
  /** `id`: of the signed statement; undefined: this host is no auditor, and nothing was signed. */
  | { type: 'report'; report: DrillReport; id?: string };
