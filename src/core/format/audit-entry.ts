import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { KiB } from '../../base/units.ts';
import { malformed } from './field.ts';

/** What audit logs tell of. */
export const auditKinds = [
  /** The log begins, or goes on after the agent was started. */
  'start',
  /** A member was admitted through this agent. */
  'join',
  /** A command of the control log took effect, or was void. */
  'decision',
  /** A snapshot was written. */
  'backup',
  /** Shards were read by a recovery kit, or many by a member. */
  'read',
  /** A step of a restore plan was done here. */
  'restore',
  /** Keys were granted, used or changed. */
  'key',
  /** Something was asked for and refused. */
  'refusal',
  /** Something was deleted, or its deletion refused. */
  'expiry',
  /** People were told. */
  'alarm',
] as const;

export type AuditKind = (typeof auditKinds)[number];

/** One line of an audit log. Texts are for people, without secrets and names of files. */
export type AuditEntry = {
  /** By this host's clock. */
  readonly timeMs: number;
  readonly kind: AuditKind;
  /** Who: a member's name, an operator's, "recovery kit", or a key. */
  readonly actor: string;
  /** What: one short phrase. */
  readonly action: string;
  /** On what: a snapshot, a dataset, a peer. */
  readonly subject: string;
  readonly outcome: 'done' | 'refused' | 'failed';
  readonly detail: string;
  /** How often, where equal ones were gathered. */
  readonly count: number;
};

/** Of an encoded entry; C2SP's tiles allow 65535. */
export const auditEntrySizeMax = 4 * KiB;

const textMax = 512;
const outcomes = ['done', 'refused', 'failed'] as const;
const names = ['action', 'actor', 'count', 'detail', 'kind', 'outcome', 'subject', 'timeMs'];

/** Canonical JSON: keys sorted, no white space. Texts that are too long are cut. */
export function encodeAuditEntry(entry: AuditEntry): Uint8Array {
  const { action, actor, count, detail, kind, outcome, subject, timeMs } = entry;
  const value = {
    action: cut(action),
    actor: cut(actor),
    count,
    detail: cut(detail),
    kind,
    outcome,
    subject: cut(subject),
    timeMs: Math.floor(timeMs),
  };
  return utf8(JSON.stringify(value));
}

/** The entry in these bytes. @throws HoldfastError bad-encoding */
export function decodeAuditEntry(bytes: Uint8Array): AuditEntry {
  const text = bytes.length > auditEntrySizeMax ? undefined : fromUtf8(bytes);
  const value = text === undefined ? undefined : parse(text);
  if (!isAuditEntry(value) || text !== JSON.stringify(value)) {
    throw malformed('an entry of an audit log is not of its one form');
  }
  return value;
}

/** Well-formed, and short enough in any script. */
function cut(text: string): string {
  return text.slice(0, textMax).toWellFormed();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isAuditEntry(value: unknown): value is AuditEntry {
  if (typeof value !== 'object' || value === null) return false;
  const entry = value as Record<string, unknown>;
  return (
    Object.keys(entry).join() === names.join() &&
    [entry.action, entry.actor, entry.detail, entry.subject].every(isText) &&
    [entry.count, entry.timeMs].every((one) => Number.isSafeInteger(one) && Number(one) >= 0) &&
    auditKinds.some((kind) => kind === entry.kind) &&
    outcomes.some((outcome) => outcome === entry.outcome)
  );
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= textMax && value.isWellFormed();
}
