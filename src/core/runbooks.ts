import type { ErrorCode } from './errors.ts';

/** Pages of docs/runbooks: what to do at 3 a.m. */
export type Runbook =
  | 'site-lost'
  | 'key-lost'
  | 'ransomware'
  | 'coordinator-stuck'
  | 'quorum-lost'
  | 'disk-full'
  | 'clock-jump'
  | 'corrupt-peer'
  | 'restore-slow'
  | 'backup-late';

const ofErrors: Partial<Record<ErrorCode, Runbook>> = {
  'no-quorum': 'quorum-lost',
  'too-few-shards': 'site-lost',
  'below-policy': 'site-lost',
  'disk-full': 'disk-full',
  'wrong-key': 'key-lost',
  shredded: 'key-lost',
  corrupt: 'corrupt-peer',
  'bad-signature': 'corrupt-peer',
  equivocation: 'corrupt-peer',
  rollback: 'corrupt-peer',
  'drill-failed': 'corrupt-peer',
  'objective-missed': 'restore-slow',
};

/** By the kind of an alarm. */
const ofAlarms: Readonly<Record<string, Runbook>> = {
  'suspect-snapshot': 'ransomware',
  'audit-tampered': 'corrupt-peer',
  'over-budget': 'ransomware',
  escrow: 'key-lost',
  'drill-overdue': 'restore-slow',
  'drill-missed': 'restore-slow',
  'drill-blocked': 'restore-slow',
  'not-restorable': 'site-lost',
  'data-lost': 'corrupt-peer',
  'disk-full': 'disk-full',
  'clock-wrong': 'clock-jump',
  'never-backed-up': 'backup-late',
  'backup-late': 'backup-late',
  'site-lost': 'site-lost',
  'no-quorum': 'quorum-lost',
  'peer-failing': 'corrupt-peer',
  'shard-damaged': 'corrupt-peer',
  'shards-gone': 'corrupt-peer',
  'disk-failed': 'corrupt-peer',
  'wrong-encoding': 'corrupt-peer',
  quarantined: 'ransomware',
  'deletion-frozen': 'clock-jump',
  'false-time': 'clock-jump',
  'command-refused': 'corrupt-peer',
  forgery: 'corrupt-peer',
  'lost-state': 'corrupt-peer',
  'two-histories': 'corrupt-peer',
};

/** Undefined: the message says all there is to say. */
export function runbookOfError(code: ErrorCode): string | undefined {
  return pathOf(ofErrors[code]);
}

/** Undefined: no page is written for it yet. */
export function runbookOfAlarm(kind: string): string | undefined {
  return pathOf(ofAlarms[kind]);
}

function pathOf(page: Runbook | undefined): string | undefined {
  return page === undefined ? undefined : `docs/runbooks/${page}.md`;
}
