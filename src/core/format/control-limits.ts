import { assert } from '../../base/assert.ts';
import { dayMs, KiB, minuteMs, secondMs } from '../../base/units.ts';
import { limits } from '../limits.ts';

/** Bounds of the control log's commands, each with its reason. */
export const controlLimits = {
  /** More voters make every commit slower and survive little more. */
  votersMax: 7,
  planSizeMax: 48 * KiB,
  policySizeMax: 48 * KiB,
  /** A plan and its grants must fit an envelope; more is kept as a fact. */
  sealedSizeMax: 48 * KiB,
  factSizeMax: limits.factSizeMax,
  /** Of a command that others shall sign: a plan or policy with room to spare. */
  proposedSizeMax: 64 * KiB,
  proposalMinMs: minuteMs,
  /** Who has not signed by then has forgotten it. */
  proposalMaxMs: 90 * dayMs,
  /** How long a grant opens something. */
  grantMinMs: secondMs,
  grantMaxMs: 90 * dayMs,
  /** How long a request waits for operators, and an approved one for whoever holds the keys. */
  requestLastsMs: 7 * dayMs,
  resealMaxMs: 7 * dayMs,
  /** Of the name of a dataset, and of a path in a snapshot. */
  datasetNameLengthMax: 128,
  pathLengthMax: 4096,
  detailSizeMax: 1 * KiB,
  evidenceSizeMax: 4 * KiB,
  /** Of why somebody did something. */
  reasonLengthMax: 256,
  anchorHeadsMax: 256,
  /** A checkpoint with a signature of each voter before and after a change, of about 150 characters each. */
  noteLengthMax: 8 * KiB,
  /** Ranges of snapshots in one command: what is kept splits them, and that is tens. */
  rangesMax: 512,
  /** An invite or admission statement, as it was signed. */
  statementSizeMax: 16 * KiB,
  /** How long operators may make a decree wait. */
  noticeMaxMs: 30 * dayMs,
  /** After a longer silence a person decides. */
  leaseMaxMs: dayMs,
  /** Shares of a kit: people who can be asked. */
  custodiansMax: 32,
  /** Sets of recipients changed at once: of hybrid recipients each may take 32 KiB. */
  recipientSetsMax: 2,
  /** Key records replaced at once: as many as an envelope holds beside two sets. */
  recordChangesMax: 1024,
} as const;

assert(
  controlLimits.sealedSizeMax + controlLimits.evidenceSizeMax < limits.envelopeSizeMax,
  'a command fits an envelope',
);
