import { hostCount } from './namespaces.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Frames from one host to another that get lost. */
export type Cut = { readonly from: number; readonly to: number };

export const shapes = [
  'isolated-leader',
  'isolated-target',
  'leader-with-target',
  'minority-of-two',
  'bridge-node',
  'one-way-out',
  'one-way-in',
  'pair',
  'ring',
  'everybody-alone',
  'unplugged',
  'flapping',
] as const;

export type Shape = (typeof shapes)[number];

const hosts = Array.from({ length: hostCount }, (_, host) => host);

/** Everything between hosts of different groups is lost. */
function between(...groups: readonly (readonly number[])[]): Cut[] {
  const groupOf = (host: number): number => groups.findIndex((group) => group.includes(host));
  return cutsWhere((from, to) => {
    const [a, b] = [groupOf(from), groupOf(to)];
    return a >= 0 && b >= 0 && a !== b;
  });
}

function cutsWhere(isCut: (from: number, to: number) => boolean): Cut[] {
  return hosts.flatMap((from) =>
    hosts.filter((to) => to !== from && isCut(from, to)).map((to) => ({ from, to })),
  );
}

/** What a partition of this shape cuts. `leader`: coordinates; `target`: the plan restores there. */
export function cutsOf(
  shape: Shape,
  { leader, target }: { readonly leader: number; readonly target: number },
  random: SeededRandom,
): Cut[] {
  const others = random.shuffled(hosts.filter((host) => host !== leader));
  const [a = 0, b = 0] = others;
  const one = random.chance(0.5) ? leader : a;
  switch (shape) {
    case 'isolated-leader':
    case 'flapping':
    case 'unplugged':
      return isolation(leader);
    case 'isolated-target':
      return isolation(target);
    case 'leader-with-target':
      return between([leader, target], rest(leader, target));
    case 'minority-of-two':
      return random.chance(0.5)
        ? between([leader, a], others.slice(1))
        : between([a, b], rest(a, b));
    // Two halves that see each other only through one host, which belongs to no group.
    case 'bridge-node':
      return between([leader, a], others.slice(2));
    case 'one-way-out':
      return cutsWhere((from) => from === one);
    case 'one-way-in':
      return cutsWhere((_, to) => to === one);
    case 'pair':
      return between([leader], [a]);
    case 'ring': {
      const round = [leader, ...others];
      return cutsWhere((from, to) => {
        const apart = Math.abs(round.indexOf(from) - round.indexOf(to));
        return apart !== 1 && apart !== hostCount - 1;
      });
    }
    case 'everybody-alone':
      return cutsWhere(() => true);
  }
}

function rest(...without: readonly number[]): number[] {
  return hosts.filter((host) => !without.includes(host));
}

/** Nothing comes from this host, and nothing reaches it. */
export function isolation(host: number): Cut[] {
  return between([host], rest(host));
}
