import { Prng } from '../prng.ts';
import { type SchemeKind, schemeKinds } from './schemes.ts';

/** One piece of trouble; times in moments. A member is named by a number, taken modulo how many there are. */
export type RaftFault = { readonly at: number } & (
  | {
      readonly kind: 'crash';
      readonly member: number;
      readonly afterEffects: number;
      readonly span: number;
    }
  /** A crash after which an entry, `depth` before the last, cannot be read. */
  | {
      readonly kind: 'damage';
      readonly member: number;
      readonly depth: number;
      /** What is left is from before the log was last cut. */
      readonly isOld: boolean;
      readonly span: number;
    }
  /** The member never comes back; another one takes its place. */
  | { readonly kind: 'disk-loss'; readonly member: number }
  | { readonly kind: 'pause'; readonly member: number; readonly span: number }
  | { readonly kind: 'cut'; readonly from: number; readonly to: number; readonly span: number }
  /** Members whose bit is set hear only each other, and so do the others. */
  | { readonly kind: 'split'; readonly mask: number; readonly span: number }
  /** A split over which one member hears both sides. */
  | {
      readonly kind: 'bridge';
      readonly member: number;
      readonly mask: number;
      readonly span: number;
    }
  | { readonly kind: 'crash-leader'; readonly afterEffects: number; readonly span: number }
  /** The member's clock leaps ahead: it stands for election if it may. */
  | { readonly kind: 'hurry'; readonly member: number; readonly ticks: number }
  | { readonly kind: 'isolate-leader'; readonly way: 'in' | 'out' | 'both'; readonly span: number }
  | {
      readonly kind: 'weather';
      readonly lossPerMille: number;
      readonly doublePerMille: number;
      readonly delayMax: number;
      /** Messages that come when nobody expects them any more. */
      readonly latePerMille: number;
      readonly span: number;
    }
  | { readonly kind: 'rate'; readonly member: number; readonly period: number }
  | { readonly kind: 'change'; readonly wish: number; readonly member: number }
  | { readonly kind: 'transfer'; readonly member: number }
  /** Answers of the last few elections and rounds come again and again. */
  | { readonly kind: 'echo'; readonly span: number }
  | { readonly kind: 'scheme'; readonly scheme: SchemeKind; readonly span: number }
);

export type FaultKind = RaftFault['kind'];

/** Everything about a run that is drawn before it begins. */
export type RaftPlan = {
  readonly voters: number;
  /** Moments under faults. */
  readonly duration: number;
  readonly messageBytesMax: number;
  readonly entriesInFlightMax: number;
  /** Journals know the term of what they have lost. */
  readonly knowsTerms: boolean;
  /** Entries applied since the last snapshot that lead to the next. */
  readonly compactAfter: number;
  readonly proposePerMille: number;
  readonly readPerMille: number;
  readonly faults: readonly RaftFault[];
};

const kinds: readonly FaultKind[] = [
  'crash',
  'crash-leader',
  'hurry',
  'damage',
  'disk-loss',
  'pause',
  'cut',
  'split',
  'bridge',
  'isolate-leader',
  'weather',
  'rate',
  'change',
  'transfer',
  'echo',
  'scheme',
];

const durationMax = 700;
const faultsMax = 40;

/** Each seed knows some kinds of trouble only, so that rare combinations are met undisturbed by others. */
export function planOf(seed: number): RaftPlan {
  const random = new Prng(seed);
  const voters = random.pick([3, 3, 4, 4, 5, 5, 7]);
  const duration = random.between(200, durationMax);
  const drawn = kinds.filter(() => random.chance(450));
  // A scheme is easily spoilt by other trouble.
  const enabled: readonly FaultKind[] = random.chance(250) ? ['scheme'] : drawn;
  const count = enabled.length === 0 ? 0 : random.between(2, faultsMax);
  const faults = Array.from({ length: count }, () => draw(random, random.pick(enabled), duration));
  return {
    voters,
    duration,
    messageBytesMax: random.pick([1, 16, 64, 1024]),
    entriesInFlightMax: random.pick([1, 2, 8, 64]),
    knowsTerms: random.chance(800),
    compactAfter: random.pick([3, 10, 40, 1000]),
    proposePerMille: random.pick([30, 150, 400]),
    readPerMille: random.pick([0, 50, 200]),
    faults: faults.sort((a, b) => a.at - b.at),
  };
}

function draw(random: Prng, kind: FaultKind, duration: number): RaftFault {
  const at = random.below(duration);
  const span = random.pick([5, 30, 80, 200]) + random.below(40);
  const member = random.below(16);
  switch (kind) {
    case 'crash':
      return { at, kind, member, afterEffects: random.below(12), span };
    case 'crash-leader':
      return { at, kind, afterEffects: random.below(8), span };
    case 'hurry':
      return { at, kind, member, ticks: random.between(8, 40) };
    case 'damage':
      return { at, kind, member, depth: random.below(8), isOld: random.chance(300), span };
    case 'cut':
      return { at, kind, from: member, to: random.below(16), span };
    case 'split':
      return { at, kind, mask: random.below(256), span };
    case 'bridge':
      return { at, kind, member, mask: random.below(256), span };
    case 'isolate-leader':
      return { at, kind, way: random.pick(['in', 'out', 'both'] as const), span };
    case 'weather':
      return {
        at,
        kind,
        lossPerMille: random.pick([0, 20, 100, 400]),
        doublePerMille: random.pick([0, 100, 500]),
        delayMax: random.pick([3, 3, 10, 40, 150]),
        latePerMille: random.pick([0, 100]),
        span,
      };
    case 'rate':
      return { at, kind, member, period: random.between(1, 12) };
    case 'change':
      return { at, kind, member, wish: random.below(6) };
    case 'echo':
      return { at, kind, span };
    case 'pause':
      return { at, kind, member, span };
    case 'scheme':
      return { at, kind, scheme: random.pick(schemeKinds), span: span + 100 };
    case 'disk-loss':
    case 'transfer':
      return { at, kind, member };
  }
}
