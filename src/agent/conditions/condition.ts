import type { Alarm } from '../../services/alarms.ts';

/** What is looked at, again and again: each of these is raised while it stands, and cleared when it does not. */
export const conditionKinds = [
  'never-backed-up',
  'backup-late',
  'not-restorable',
  'data-lost',
  'site-lost',
  'no-quorum',
  'disk-full',
  'disk-failed',
  'clock-wrong',
] as const;

export type Condition = Alarm & { readonly kind: (typeof conditionKinds)[number] };
