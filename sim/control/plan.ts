import { Prng } from '../prng.ts';

/** One piece of trouble; `agent` is a number, taken modulo how many there are. */
export type ControlFault = { readonly atMs: number; readonly spanMs: number } & (
  | {
      readonly kind: 'crash' | 'pause' | 'slow-disk' | 'full-disk' | 'damage';
      readonly agent: number;
    }
  | { readonly kind: 'crash-leader' | 'pause-leader' | 'isolate-leader' }
  /** Whoever coordinates dies right after its next word was applied there, so many milliseconds later. */
  | { readonly kind: 'crash-coordinator'; readonly delayMs: number }
  | { readonly kind: 'cut'; readonly agent: number; readonly to: number }
  | { readonly kind: 'split'; readonly mask: number }
  | { readonly kind: 'weather'; readonly lossPerMille: number; readonly delayMaxMs: number }
  | {
      readonly kind: 'clock';
      readonly agent: number;
      readonly ratePerMille: number;
      readonly skewMs: number;
    }
);

export type ControlFaultKind = ControlFault['kind'];

/** Everything about a run that is drawn before it begins. */
export type ControlPlan = {
  readonly durationMs: number;
  /** Begins with the founder alone; else with all members as voters. */
  readonly isFresh: boolean;
  readonly hasCheckpoints: boolean;
  readonly lateMs: number;
  readonly faults: readonly ControlFault[];
};

const kinds: readonly ControlFaultKind[] = [
  'crash',
  'crash-leader',
  'crash-coordinator',
  'pause',
  'pause-leader',
  'isolate-leader',
  'slow-disk',
  'full-disk',
  'damage',
  'cut',
  'split',
  'weather',
  'clock',
];

const faultsMax = 14;

/** Each seed knows some kinds of trouble only. */
export function controlPlanOf(seed: number): ControlPlan {
  const random = new Prng(seed);
  const durationMs = random.between(10_000, 25_000);
  const enabled = kinds.filter(() => random.chance(400));
  const count = enabled.length === 0 ? 0 : random.between(1, faultsMax);
  const faults = Array.from({ length: count }, () =>
    draw(random, random.pick(enabled), durationMs),
  ).sort((a, b) => a.atMs - b.atMs);
  return {
    durationMs,
    isFresh: random.chance(100),
    hasCheckpoints: random.chance(250),
    lateMs: random.between(0, durationMs),
    faults,
  };
}

function draw(random: Prng, kind: ControlFaultKind, durationMs: number): ControlFault {
  const atMs = random.below(durationMs);
  const spanMs = random.pick([300, 2000, 5000, 15_000]) + random.below(1000);
  const agent = random.below(16);
  const at = { atMs, spanMs };
  switch (kind) {
    case 'crash-leader':
    case 'pause-leader':
    case 'isolate-leader':
      return { ...at, kind };
    case 'crash-coordinator':
      return { ...at, kind, delayMs: random.pick([0, 0, 1, 10, 60, 300]) };
    case 'cut':
      return { ...at, kind, agent, to: random.below(16) };
    case 'split':
      return { ...at, kind, mask: random.below(64) };
    case 'weather':
      return {
        ...at,
        kind,
        lossPerMille: random.pick([0, 50, 200]),
        delayMaxMs: random.pick([40, 300, 1500]),
      };
    case 'clock':
      return {
        ...at,
        kind,
        agent,
        ratePerMille: random.pick([600, 900, 1100, 1600]),
        skewMs: random.pick([-86_400_000, -1000, 0, 1000, 86_400_000]),
      };
    case 'crash':
    case 'pause':
    case 'slow-disk':
    case 'full-disk':
    case 'damage':
      return { ...at, kind, agent };
  }
}
