import { fleetHosts, type Host } from './hosts.ts';
import type { NetworkKind } from './namespaces.ts';
import { calm } from './network.ts';
import { type Shape, shapes } from './partition.ts';
import type { Weather } from './relay.ts';
import { SeededRandom } from './seeded-random.ts';

export const stepNames = ['restore', 'check', 'hook', 'promote'] as const;
export type StepName = (typeof stepNames)[number];

/**
 * - `before`: what comes before the step is done, says the log, and the step has not begun.
 * - `during`: it has begun (a promotion: some voter has given its word) and has not ended.
 * - `after`: it has ended (a majority has voted), and the log does not say so yet.
 */
export const moments = ['before', 'during', 'after'] as const;
export type Moment = (typeof moments)[number];

export const victims = ['leader', 'target'] as const;
export type Victim = (typeof victims)[number];

/** Whom kill -9 shall hit, and when. */
export type Cell = { readonly step: StepName; readonly moment: Moment; readonly victim: Victim };

export const cells: readonly Cell[] = stepNames.flatMap((step) =>
  moments.flatMap((moment) => victims.map((victim) => ({ step, moment, victim }))),
);

export type Aim = Cell & {
  /** After the moment has come; no kill is so late that the moment is over if that can be helped. */
  readonly delayMs: number;
  readonly backAfterMs: number;
};

/** How the old holder of a dataset comes to be off, and whether it is. */
export const ways = [
  /** It runs and writes, and says itself that its copy is off. */
  'demote',
  /** It is killed; operators attest it; it comes back with its disk. */
  'off-and-back',
  /** It runs and writes, cut off from everybody; operators attest it; the cut is mended. */
  'cut-and-back',
  /** Its process stands still; operators attest it; it goes on amid whatever it was doing. */
  'paused-and-back',
  /** It runs and writes, and nobody says anything: nothing may be promoted. */
  'nothing',
] as const;
export type Way = (typeof ways)[number];

export type PartitionScheme = {
  readonly shape: Shape;
  /** Begins when this step is under way, or after `latestMs`. */
  readonly during: StepName;
  readonly latestMs: number;
  readonly forMs: number;
  /** The next one follows without a moment of peace. */
  readonly staysCut: boolean;
};

/** What a seed says of one round. */
export type Scheme = {
  readonly seed: number;
  readonly network: NetworkKind;
  readonly weather: Weather;
  readonly way: Way;
  readonly from: Host;
  readonly to: Host;
  readonly aims: readonly Aim[];
  readonly partitions: readonly PartitionScheme[];
  /** Some host stands still for so long. */
  readonly pause:
    | { readonly host: Host; readonly afterMs: number; readonly forMs: number }
    | undefined;
  readonly offAfterMs: number;
  /** The old holder comes back while the plan may still run. */
  readonly isBackEarly: boolean;
  readonly checkMs: number;
  readonly hookMs: number;
};

/** Seeds of one block have the same kind of network, so that one fleet serves them all. */
export const blockSize = cells.length;
/** Of so many blocks one goes through the relay. */
const relayEvery = 4;

export function networkOf(seed: number): NetworkKind {
  return Math.floor(seed / blockSize) % relayEvery === relayEvery - 1 ? 'relay' : 'lan';
}

/** Cells and shapes follow each other with the seeds, so that all of them come; the rest is drawn. */
export function schemeOf(seed: number): Scheme {
  const random = new SeededRandom(seed);
  const from = fleetHosts[seed % fleetHosts.length] as Host;
  const others = random.shuffled(fleetHosts.filter((host) => host !== from));
  const [to, other] = others as [Host, Host];
  const cell = cells[seed % cells.length] as Cell;
  const aims = [aimAt(cell, random)];
  if (random.chance(0.35)) aims.push(aimAt(random.pick(cells), random));
  const network = networkOf(seed);
  return {
    seed,
    network,
    weather: network === 'lan' ? calm : drawWeather(random),
    way: drawWay(aims, random),
    ...{ from, to, aims },
    partitions: drawPartitions(seed, random),
    pause: random.chance(0.2)
      ? { host: other, afterMs: random.between(0, 3_000), forMs: random.between(500, 4_000) }
      : undefined,
    offAfterMs: random.between(0, 3_000),
    isBackEarly: random.chance(0.4),
    checkMs: random.between(200, 1_000),
    hookMs: random.between(200, 1_000),
  };
}

function aimAt(cell: Cell, random: SeededRandom): Aim {
  const delayMs =
    cell.moment === 'before' ? 0 : random.between(0, cell.step === 'promote' ? 5 : 120);
  return { ...cell, delayMs, backAfterMs: random.between(0, 2_500) };
}

function drawWay(aims: readonly Aim[], random: SeededRandom): Way {
  const promotes = aims.some(({ step, moment }) => step === 'promote' && moment !== 'before');
  const possible = promotes ? ways.filter((way) => way !== 'nothing') : ways;
  return random.pick(possible);
}

function drawPartitions(seed: number, random: SeededRandom): PartitionScheme[] {
  const turn = seed + Math.floor(seed / blockSize) * 5;
  const first = shapes[turn % shapes.length] as Shape;
  const all = random.chance(0.35) ? [first, random.pick(shapes)] : [first];
  return all.map((shape) => ({
    shape,
    during: random.pick(stepNames),
    latestMs: random.between(0, 3_000),
    forMs: random.between(500, 4_000),
    staysCut: random.chance(0.4),
  }));
}

function drawWeather(random: SeededRandom): Weather {
  return {
    delayMs: random.pick([1, 5, 20, 40, 75]),
    jitterMs: random.pick([0, 2, 10, 30]),
    loss: random.pick([0, 0.005, 0.01, 0.03]),
  };
}
