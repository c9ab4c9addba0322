import { Prng } from '../prng.ts';

/** One piece of trouble; `agent` is a number, taken modulo how many there are. */
export type ControlFault = { readonly atMs: number; readonly spanMs: number } & (
  | {
      readonly kind: 'crash' | 'pause' | 'slow-disk' | 'full-disk' | 'damage';
      readonly agent: number;
    }
  | { readonly kind: 'crash-leader' | 'pause-leader' | 'isolate-leader' }
  /** Whoever has the live copy is cut off just before a plan would promote another one. */
  | { readonly kind: 'isolate-holder' }
  /** Whoever coordinates dies right after its next word was applied there, so many milliseconds later. */
  | { readonly kind: 'crash-coordinator'; readonly delayMs: number }
  | { readonly kind: 'cut'; readonly agent: number; readonly to: number }
  | { readonly kind: 'split'; readonly mask: number }
  /** A majority of the voters dies, and operators go on without it; `mask`: who is found again, long after. */
  | { readonly kind: 'majority-lost'; readonly first: number; readonly mask: number }
  /** A minority is cut off, and its operators believe that it is all that is left. */
  | { readonly kind: 'false-decree'; readonly first: number }
  /** The site of a live copy is lost, for which a standby plan waits; `isOff`: operators know that it is off. */
  | { readonly kind: 'site-lost'; readonly isOff: boolean }
  /** Who holds a lease is lost for longer than the lease lasts; its programs know nothing of that. */
  | { readonly kind: 'lease-lost'; readonly how: HolderLoss }
  /** Hosts run two versions, and are upgraded one after another; `mask`: who has the newer one from the start. */
  | { readonly kind: 'upgrade'; readonly mask: number }
  /** Whoever leads then sends each follower another log from here on, as long as it leads, and again later. */
  | { readonly kind: 'lying-leader' }
  /** From here on this voter says two words for each promotion. */
  | { readonly kind: 'liar'; readonly agent: number }
  /** The disk is as it was `spanMs` before: more than a log bears that believes what was said. */
  | { readonly kind: 'roll-back'; readonly agent: number; readonly isEmptied: boolean }
  /** A copy of the host runs beside it. */
  | { readonly kind: 'clone'; readonly agent: number }
  | { readonly kind: 'weather'; readonly lossPerMille: number; readonly delayMaxMs: number }
  | {
      readonly kind: 'clock';
      readonly agent: number;
      readonly ratePerMille: number;
      readonly skewMs: number;
    }
);

/** Its agent dies, and the guard of its programs goes on; it stands still; or messages do not pass, one way or both. */
export type HolderLoss = 'killed' | 'paused' | 'cut' | 'deaf' | 'mute';

export type ControlFaultKind = ControlFault['kind'];

/** Everything about a run that is drawn before it begins. */
export type ControlPlan = {
  readonly durationMs: number;
  /** Begins with the founder alone; else with all members as voters. */
  readonly isFresh: boolean;
  readonly hasCheckpoints: boolean;
  /** Programs run under leases, which are kept and watched. */
  readonly hasLeases: boolean;
  /** Five, all of whom may vote; or one more. */
  readonly memberCount: 5 | 6;
  /** What the genesis says: how many voters may lie. */
  readonly byzantineVoters: 0 | 1;
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
  'isolate-holder',
  'slow-disk',
  'full-disk',
  'damage',
  'cut',
  'split',
  'weather',
  'clock',
];

const faultsMax = 14;

/**
 * Once in a run, and what a run is about: its faults are drawn as in all others. The log bears voters that are
 * gone, not voters whose memory is wrong: of the last two, promotions alone must hold.
 */
const stories = [
  'lease-lost' as const,
  ...Array<undefined>(14).fill(undefined),
  ...(['majority-lost', 'majority-lost', 'majority-lost', 'false-decree'] as const),
  ...(['false-decree', 'site-lost', 'liar', 'liar', 'liar', 'roll-back', 'clone'] as const),
  ...(['upgrade', 'upgrade', 'upgrade', 'lying-leader', 'lying-leader', 'two-liars'] as const),
];

/** True when more is broken than the log bears: it may stop for ever, and may not promote twice. Liars alone are not. */
export function isOverBudget(faults: readonly ControlFault[]): boolean {
  return faults.some(({ kind }) => overBudget.includes(kind));
}

const overBudget: readonly ControlFaultKind[] = ['roll-back', 'clone', 'lying-leader'];

/** Longer than a site must be silent to be lost. */
const siteLostMs = 50_000;
const leasedMs = 5000;

/** Each seed knows some kinds of trouble only. */
export function controlPlanOf(seed: number): ControlPlan {
  const random = new Prng(seed);
  const story = random.pick(stories);
  const hasLeases = story === 'lease-lost';
  const longerMs = story === 'site-lost' || hasLeases ? siteLostMs : 0;
  const durationMs = random.between(10_000, 25_000) + longerMs;
  const enabled = kinds.filter(() => random.chance(400));
  const count = enabled.length === 0 ? 0 : random.between(1, faultsMax);
  const faults = Array.from({ length: count }, () => {
    const fault = draw(random, random.pick(enabled), durationMs);
    return hasLeases && fault.kind === 'clock' ? steadier(fault) : fault;
  });
  if (story === 'two-liars') faults.push(...twoLiars(random, durationMs));
  else if (story !== undefined) faults.push(draw(random, story, durationMs - longerMs));
  faults.sort((a, b) => a.atMs - b.atMs);
  const mayLie = isOverBudget(faults) || faults.some(({ kind }) => kind === 'liar');
  return {
    durationMs,
    isFresh: story === undefined && random.chance(180),
    hasCheckpoints: story !== undefined || random.chance(500),
    byzantineVoters: mayLie || random.chance(200) ? 1 : 0,
    hasLeases,
    lateMs: random.between(0, durationMs),
    memberCount: random.chance(200) ? 6 : 5,
    faults,
  };
}

/** Leases are for clocks of which none runs an eighth faster than another. */
function steadier(fault: Extract<ControlFault, { kind: 'clock' }>): ControlFault {
  return { ...fault, ratePerMille: fault.ratePerMille < 1000 ? 950 : 1050 };
}

/** Two voters, however many members there are. */
function twoLiars(random: Prng, durationMs: number): ControlFault[] {
  const first = random.below(16);
  return [first, first + random.between(1, 4)].map((agent) => {
    return { kind: 'liar', atMs: random.below(durationMs), spanMs: 0, agent };
  });
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
    case 'isolate-holder':
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
    case 'majority-lost':
      return { ...at, kind, first: agent, mask: random.below(64) };
    case 'false-decree':
      return { ...at, kind, first: agent };
    case 'site-lost':
      return { ...at, kind, isOff: random.chance(600) };
    case 'lease-lost': {
      const how = random.pick(['killed', 'paused', 'cut', 'cut', 'deaf', 'mute'] as const);
      // Operators have to write the rule, and the holder its first renewal.
      return { ...at, kind, how, atMs: leasedMs + Math.floor(atMs / 2) };
    }
    case 'roll-back':
      return { ...at, kind, agent, isEmptied: random.chance(300) };
    case 'upgrade':
      return { ...at, kind, mask: random.below(64) };
    case 'lying-leader':
      return { ...at, kind, atMs: Math.floor(atMs / 3) };
    case 'clone':
    case 'liar':
    case 'crash':
    case 'pause':
    case 'slow-disk':
    case 'full-disk':
    case 'damage':
      return { ...at, kind, agent };
  }
}
