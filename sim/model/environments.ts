import type { Hazards } from './durability.ts';

/** How often hosts and sites are lost for good, a year. */
export type Rates = Omit<Hazards, 'repairYears'>;

/** As in the design: a machine room, small offices, homes. */
export const environments: Readonly<Record<'A' | 'B' | 'C', Rates>> = {
  A: ratesOf({ hostLoss: 0.05, siteLoss: 0.01 }),
  B: ratesOf({ hostLoss: 0.1, siteLoss: 0.01 }),
  C: ratesOf({ hostLoss: 0.25, siteLoss: 0.02 }),
};

/** Only hosts are lost. */
export function withoutSites(rates: Rates): Rates {
  return { ...rates, siteLossRate: 0 };
}

/** The chance that one is lost within a year, from the rate. */
export function yearlyChance(rate: number): number {
  return -Math.expm1(-rate);
}

/** From the chances that one is lost within a year. */
function ratesOf(chances: { hostLoss: number; siteLoss: number }): Rates {
  return {
    hostLossRate: -Math.log1p(-chances.hostLoss),
    siteLossRate: -Math.log1p(-chances.siteLoss),
  };
}
