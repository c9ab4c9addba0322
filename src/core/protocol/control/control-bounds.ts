import { KiB, MiB } from '../../../base/units.ts';

/** Bounds of what the control state keeps: it is sent whole to members that have fallen behind. */
export const controlBounds = {
  /** Commands whose repetition is noticed: more than are ever under way. */
  knownIdsMax: 4096,
  /** Versions of layout and policy that can be looked up and reverted to. */
  historyMax: 64,
  /** Plans with their runs; older finished ones leave only hash and result. */
  plansMax: 64,
  openRunsMax: 16,
  /** Runs of one plan that are kept with their steps, and that may ever be started. */
  runsKeptMax: 8,
  runsMax: 64,
  finishedPlansMax: 4096,
  grantsPerRunMax: 32,
  datasetsMax: 4096,
  /** Incarnations of one dataset that are remembered. */
  holdersMax: 64,
  isolationsMax: 256,
  anchorsMax: 16384,
  sitesMax: 256,
  /** Changes of the voters, those left out that can be skipped; a cluster sees a few a year. */
  vouchesMax: 128,
  decreesMax: 64,
  /** Of all operators together, and of one of them. */
  openProposalsMax: 64,
  proposalsPerOperatorMax: 16,
  endedProposalsMax: 32,
  /** Requests to restore that wait for operators: of all agents together, and of one. */
  requestsMax: 64,
  requestsPerAgentMax: 8,
  /** Approved ones that have not ended, with 48 KiB of keys at most each; and ended ones. */
  grantsMax: 64,
  endedGrantsMax: 64,
  /** Epochs that operators have rewrapped or destroyed, and datasets with recipients of their own. */
  keyEpochsMax: 8192,
  recipientSetsMax: 256,
  voidsMax: 256,
  /** One of each agent, and members are at most 200. */
  equivocationsMax: 256,
  /** An envelope that proves one; a larger one is found in the logs of members. */
  evidenceSizeMax: 64 * KiB,
  warningsMax: 64,
  /** Snapshots that were cleared of suspicion; an older one is suspect again. */
  clearedMax: 4096,
  holdsMax: 1024,
  /** Of one dataset at once: one a day, for the weeks that veto and trash take. */
  expiriesMax: 64,
  /** Of one set of snapshots: what is kept between them splits it. */
  rangesMax: 4096,
  imageSizeMax: 64 * MiB,
} as const;

/** Appends to a list that forgets its oldest items. */
export function appendBounded<Item>(list: Item[], item: Item, countMax: number): void {
  list.push(item);
  if (list.length > countMax) list.splice(0, list.length - countMax);
}
