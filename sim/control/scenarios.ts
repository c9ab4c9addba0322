import type { ControlFault } from './plan.ts';

/** A seed that failed once, with the faults that it needed. It must not fail again. */
export type ControlScenario = {
  readonly name: string;
  readonly seed: number;
  readonly faults: readonly ControlFault[];
};

/** Seeds are stable for one state of this folder only; the faults say what is meant. */
export const controlScenarios: readonly ControlScenario[] = [
  {
    // It said "running" for ever: nobody whom it could name was left.
    name: 'a plan for a host that a decree has abandoned comes before an operator',
    seed: 1001,
    faults: [
      { kind: 'crash', atMs: 583, spanMs: 15_651, agent: 10 },
      { kind: 'false-decree', atMs: 3696, spanMs: 15_769, first: 0 },
    ],
  },
  {
    // It never votes, so it sent nothing that anybody could have answered with "fenced".
    name: 'a learner to whom nobody speaks hears of a new generation',
    seed: 2015,
    faults: [
      { kind: 'crash-coordinator', atMs: 1342, spanMs: 681, delayMs: 300 },
      { kind: 'pause-leader', atMs: 2744, spanMs: 15_601 },
      { kind: 'false-decree', atMs: 9245, spanMs: 614, first: 7 },
    ],
  },
  {
    // It put its own decree into force after another one had begun the same generation elsewhere.
    name: 'a generation is begun by one decree, though operators have signed two',
    seed: 2055,
    faults: [
      { kind: 'slow-disk', atMs: 676, spanMs: 15_794, agent: 9 },
      { kind: 'majority-lost', atMs: 7247, spanMs: 2800, first: 5, mask: 23 },
    ],
  },
];
