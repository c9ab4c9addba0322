import type { Probe } from '../core/policy/restore-plan.ts';
import type { RecoveryFlags } from './recovery.ts';

/** The options of `drill run`. */
export type RunFlags = RecoveryFlags & {
  snapshot: string;
  sample?: number;
  staging?: string;
  maxSize?: number;
  maxTime: number;
  check?: Probe[];
  allowHooks?: true;
  compare?: string;
  without?: string[];
  sandbox?: true;
  keep?: true;
  record: boolean;
  grant?: true;
};
