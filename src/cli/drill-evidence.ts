import { HoldfastError } from '../core/errors.ts';
import type { DrillEvidence, ProvenDrills } from './backend.ts';

/** Stands around the evidence in a page. */
export const evidenceMark = {
  before: '<script type="application/json" id="evidence">',
  after: '</script>',
} as const;

/** The file for programs: the evidence, and what it says. */
export function evidenceText(evidence: DrillEvidence, { cluster, drills }: ProvenDrills): string {
  return `${JSON.stringify({ ...evidence, cluster, drills }, undefined, 2)}\n`;
}

/** The evidence in what `drill report` has written. @throws HoldfastError bad-encoding */
export function evidenceIn(text: string): DrillEvidence {
  const { before, after } = evidenceMark;
  const at = text.indexOf(before);
  const end = text.indexOf(after, at);
  const json = at === -1 ? text : text.slice(at + before.length, end);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw refused('it is neither JSON nor a page of drill report', cause);
  }
  if (!isEvidence(value)) throw refused('fields are missing or wrong');
  const { format, version, createdMs, sinceMs, genesis, statements, anchored } = value;
  return { format, version, createdMs, sinceMs, genesis, statements, anchored };
}

function isEvidence(value: unknown): value is DrillEvidence {
  if (typeof value !== 'object' || value === null) return false;
  const { format, version, createdMs, sinceMs, genesis, statements, anchored } =
    value as Partial<DrillEvidence>;
  const isText = (one: unknown): boolean => typeof one === 'string';
  return (
    format === 'holdfast-drills-1' &&
    isText(version) &&
    Number.isSafeInteger(createdMs) &&
    Number.isSafeInteger(sinceMs) &&
    isText(genesis) &&
    Array.isArray(statements) &&
    statements.every(isText) &&
    Array.isArray(anchored) &&
    anchored.every(({ agent, sequence }) => isText(agent) && Number.isSafeInteger(sequence))
  );
}

function refused(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('bad-encoding', `this is no evidence of drills: ${why}`, {
    next: 'holdfast drill report --format json --out FILE',
    cause,
  });
}
