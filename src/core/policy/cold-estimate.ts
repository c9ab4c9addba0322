import { formatSize, formatSpan } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';

/** What a restore of everything has to read from cold stores. */
export type ColdEstimate = {
  readonly packs: number;
  readonly packsInAll: number;
  readonly bytes: number;
  readonly delayMs: number;
  /** One of each currency. */
  readonly costs: readonly { readonly currency: string; readonly amount: number }[];
  /** Names of hosts whose price is not known. */
  readonly unpriced: readonly string[];
  readonly hosts: readonly string[];
};

/** For a person who is about to restore. */
export function coldWords(estimate: ColdEstimate): string {
  const { packs, packsInAll, bytes, delayMs, costs, unpriced, hosts } = estimate;
  const prices = costs.map(({ currency, amount }) => `${roundUp(amount)} ${currency}`);
  if (unpriced.length > 0) prices.push(`what ${unpriced.join(', ')} pays (not configured there)`);
  const whole = packs === packsInAll ? `all ${packs}` : `${packs} of ${packsInAll}`;
  const who = hosts.join(', ');
  return `${whole} packs are in cold stores (of ${who}): restoring everything reads ${formatSize(bytes)} from there, takes about ${formatSpan(Math.max(delayMs, secondMs))} longer, and costs ${prices.join(' and ')}`;
}

/** Never less than it is. */
function roundUp(cost: number): string {
  return (Math.ceil(cost * 100) / 100).toFixed(2);
}

/** "0.09 EUR" in numbers; undefined for any other text, as from a peer that writes what it likes. */
export function parsePrice(text: string): { amount: number; currency: string } | undefined {
  const match = /^(\d{1,6}(?:\.\d{1,6})?) ([A-Z]{3})$/.exec(text);
  if (match === null) return undefined;
  return { amount: Number(match[1]), currency: match[2] as string };
}
