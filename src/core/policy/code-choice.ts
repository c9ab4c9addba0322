import { limits } from '../limits.ts';

/** How the bytes of a data pack are spread. With k = 1 each copy is the whole pack. */
export type Code = {
  readonly k: number;
  readonly m: number;
  /** Distinct sites that get a shard: k + m, or the number of copies when k = 1. */
  readonly sites: number;
  /** Any that many sites may be lost. */
  readonly survives: number;
};

/**
 * The code for `siteCount` sites with storage that shall outlive the loss of any `surviveSites` of them.
 * Below four sites it is replication: two data shards would leave nothing to spare. One shard a site, so
 * that losing a site costs each pack one shard.
 */
export function chooseCode(options: { siteCount: number; surviveSites: number }): Code {
  const survives = Math.max(0, Math.min(options.surviveSites, options.siteCount - 1));
  const spread =
    Math.min(limits.dataShardsMax + survives, limits.shardsMax, options.siteCount) - survives;
  if (options.siteCount < 4 || spread < 2) {
    return { k: 1, m: 0, sites: survives + 1, survives };
  }
  return { k: spread, m: survives, sites: spread + survives, survives };
}

/** "survives any 2 sites; costs 1.67x": what the policy makes of the sites there are. */
export function codeInWords(code: Code): string {
  const cost = code.k === 1 ? code.sites : (code.k + code.m) / code.k;
  const words = layoutInWords(code.survives, cost);
  if (code.k > 1) return words;
  return words.replace(
    ';',
    code.sites === 1 ? ': one copy at one site;' : ` (${code.sites} full copies);`,
  );
}

/** The same of a snapshot as it lies: which losses it outlives, and stored bytes per byte; `hot` of them for speed. */
export function layoutInWords(survives: number, expansion: number, hot = 0): string {
  const times = (ratio: number): string => `${Number(ratio.toFixed(2))}x`;
  const copies = hot === 0 ? '' : `, and ${times(hot)} more for full copies`;
  const costs = `costs ${times(expansion - hot)}${copies}`;
  if (survives < 0) return `cannot be restored: too many shards are lost; ${costs}`;
  if (survives === 0) return `survives no site loss; ${costs}`;
  return `survives ${survives === 1 ? 'any 1 site' : `any ${survives} sites`}; ${costs}`;
}
