import type { ControlPlan } from './plan.ts';

/** A plan that failed once, with the faults that it needed. It must not fail again. */
export type ControlScenario = {
  readonly name: string;
  /** Of all that happens by chance. */
  readonly seed: number;
  readonly plan: ControlPlan;
};

export const controlScenarios: readonly ControlScenario[] = [
  {
    // What an older version cannot say was thrown at the caller, not told by the promise.
    name: 'a host of the older version that cannot say a word of the newer one goes on',
    seed: 1032,
    plan: {
      durationMs: 19_976,
      isFresh: false,
      hasCheckpoints: true,
      hasLeases: false,
      byzantineVoters: 1,
      memberCount: 5,
      lateMs: 10_009,
      faults: [{ kind: 'upgrade', atMs: 1711, spanMs: 461, mask: 45 }],
    },
  },
  {
    // It said "running" for ever: nobody whom it could name was left.
    name: 'a plan for a host that a decree has abandoned comes before an operator',
    seed: 1001,
    plan: {
      durationMs: 22_256,
      isFresh: false,
      hasCheckpoints: true,
      hasLeases: false,
      byzantineVoters: 0,
      memberCount: 6,
      lateMs: 6885,
      faults: [
        { kind: 'crash', atMs: 583, spanMs: 15_651, agent: 10 },
        { kind: 'false-decree', atMs: 3696, spanMs: 15_769, first: 0 },
      ],
    },
  },
  {
    // It never votes, so it sent nothing that anybody could have answered with "fenced".
    name: 'a learner to whom nobody speaks hears of a new generation',
    seed: 2015,
    plan: {
      durationMs: 12_830,
      isFresh: false,
      hasCheckpoints: true,
      hasLeases: false,
      byzantineVoters: 1,
      memberCount: 6,
      lateMs: 12_384,
      faults: [
        { kind: 'crash-coordinator', atMs: 1342, spanMs: 681, delayMs: 300 },
        { kind: 'pause-leader', atMs: 2744, spanMs: 15_601 },
        { kind: 'false-decree', atMs: 9245, spanMs: 614, first: 7 },
      ],
    },
  },
  {
    // It put its own decree into force after another one had begun the same generation elsewhere.
    name: 'a generation is begun by one decree, though operators have signed two',
    seed: 2055,
    plan: {
      durationMs: 23_803,
      isFresh: false,
      hasCheckpoints: true,
      hasLeases: false,
      byzantineVoters: 0,
      memberCount: 6,
      lateMs: 2220,
      faults: [
        { kind: 'slow-disk', atMs: 676, spanMs: 15_794, agent: 9 },
        { kind: 'majority-lost', atMs: 7247, spanMs: 2800, first: 5, mask: 23 },
      ],
    },
  },
  {
    // The simulated disk alone was wrong: it waited for entries of a log that a decree had ended.
    name: 'a damaged host that is found again after a decree waits for nothing of the old log',
    seed: 2053,
    plan: {
      durationMs: 12_881,
      isFresh: false,
      hasCheckpoints: true,
      hasLeases: false,
      byzantineVoters: 0,
      memberCount: 6,
      lateMs: 12_647,
      faults: [
        { kind: 'majority-lost', atMs: 9287, spanMs: 5142, first: 3, mask: 1 },
        { kind: 'damage', atMs: 11_447, spanMs: 5454, agent: 0 },
      ],
    },
  },
  {
    // The checker alone was wrong: it counted the voters of later.
    name: 'a lost site stays lost while voters are added, until somebody has seen it',
    seed: 83,
    plan: {
      durationMs: 64393,
      isFresh: false,
      hasCheckpoints: true,
      hasLeases: false,
      byzantineVoters: 0,
      lateMs: 6835,
      memberCount: 6,
      faults: [
        { atMs: 11109, spanMs: 15243, kind: 'site-lost', isOff: true },
        { atMs: 34297, spanMs: 15834, kind: 'crash-leader' },
      ],
    },
  },
  {
    // The duty of the control log ended with an error that nobody had asked for.
    name: 'a host whose disk is full when a decree comes into force stops, and says why',
    seed: 100_064,
    plan: {
      durationMs: 11295,
      isFresh: false,
      hasCheckpoints: true,
      hasLeases: false,
      byzantineVoters: 0,
      lateMs: 6190,
      memberCount: 5,
      faults: [
        { atMs: 4784, spanMs: 654, kind: 'majority-lost', first: 13, mask: 29 },
        { atMs: 5336, spanMs: 15590, kind: 'cut', agent: 14, to: 10 },
        { atMs: 6122, spanMs: 348, kind: 'crash-coordinator', delayMs: 0 },
        { atMs: 7230, spanMs: 916, kind: 'cut', agent: 4, to: 2 },
        { atMs: 8939, spanMs: 2810, kind: 'slow-disk', agent: 8 },
        { atMs: 9906, spanMs: 15115, kind: 'full-disk', agent: 8 },
        { atMs: 10196, spanMs: 5105, kind: 'weather', lossPerMille: 50, delayMaxMs: 1500 },
      ],
    },
  },
  {
    // They signed what the first host had prepared, long after they had asked another one.
    name: 'operators sign one decree, also when the first host that they asked answers late',
    seed: 9_500_057,
    plan: {
      durationMs: 10747,
      isFresh: false,
      hasCheckpoints: true,
      byzantineVoters: 0,
      hasLeases: false,
      lateMs: 6833,
      memberCount: 5,
      faults: [
        { atMs: 2389, spanMs: 5352, kind: 'false-decree', first: 10 },
        { atMs: 3341, spanMs: 15052, kind: 'clock', agent: 6, ratePerMille: 1100, skewMs: 1000 },
        { atMs: 5104, spanMs: 1177, kind: 'cut', agent: 9, to: 11 },
      ],
    },
  },
];
