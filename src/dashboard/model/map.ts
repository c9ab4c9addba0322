import type { PeerReport } from '../../agent/api.ts';
import type { Tone } from './words.ts';

export type MapSite = {
  readonly site: string;
  readonly hosts: readonly PeerReport[];
  readonly tone: Tone;
  readonly isHere: boolean;
  readonly x: number;
  readonly y: number;
};

export type MapRegion = {
  readonly region: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly sites: readonly MapSite[];
};

/** How this host reaches a site. */
export type MapPath = {
  readonly site: string;
  readonly kind: 'direct' | 'relayed' | 'none';
  /** An SVG path. */
  readonly d: string;
};

export type SiteMap = {
  readonly width: number;
  readonly height: number;
  /** Where this host is; undefined: not known yet. */
  readonly here: MapSite | undefined;
  /** All other sites. */
  readonly regions: readonly MapRegion[];
  readonly paths: readonly MapPath[];
};

export const siteSize = { width: 148, height: 50 } as const;
const gap = 14;
const regionWidth = siteSize.width + 2 * gap;
const titleHeight = 30;
/** Left of each region, where the paths to it run. */
const lane = 30;
const columnWidth = lane + regionWidth;
/** Between this host's site, or a row of regions, and the next one. */
const rowGap = 36;

/** This host's site on top; below it the regions side by side, as many as fit, their sites below each other. */
export function siteMapOf(peers: readonly PeerReport[], widthMax: number): SiteMap {
  const here = hereOf(peers);
  const regions = regionsOf(peers.filter(({ site }) => site !== here?.site));
  const fitting = Math.max(1, Math.floor(widthMax / columnWidth));
  const columns = Math.max(1, Math.min(regions.length, fitting));
  const placed: MapRegion[] = [];
  let y = siteSize.height + rowGap;
  for (let first = 0; first < regions.length; first += columns) {
    const row = regions.slice(first, first + columns);
    for (const [column, [region, sites]] of row.entries()) {
      placed.push(placedRegion(region, sites, { x: lane + column * columnWidth, y }));
    }
    y += Math.max(...row.map(([, sites]) => regionHeight(sites.size))) + rowGap / 2;
  }
  const width = columns * columnWidth + 2;
  const height = y - (regions.length === 0 ? rowGap : rowGap / 2) + 2;
  const paths = here === undefined ? [] : placed.flatMap((region) => pathsTo(region, here));
  return { width, height, here, regions: placed, paths };
}

function hereOf(peers: readonly PeerReport[]): MapSite | undefined {
  const self = peers.find(({ state }) => state === 'self');
  if (self === undefined) return undefined;
  const hosts = peers.filter(({ site }) => site === self.site);
  return { site: self.site, hosts, tone: toneOf(hosts), isHere: true, x: lane + gap, y: 1 };
}

type SitesOf = ReadonlyMap<string, readonly PeerReport[]>;

function regionsOf(peers: readonly PeerReport[]): [string, SitesOf][] {
  const regions = new Map<string, Map<string, PeerReport[]>>();
  for (const peer of peers) {
    const sites = regions.get(peer.region) ?? new Map<string, PeerReport[]>();
    regions.set(peer.region, sites);
    sites.set(peer.site, [...(sites.get(peer.site) ?? []), peer]);
  }
  return [...regions].sort(([a], [b]) => a.localeCompare(b));
}

function regionHeight(sites: number): number {
  return titleHeight + sites * (siteSize.height + gap);
}

function placedRegion(
  region: string,
  sites: SitesOf,
  { x, y }: { x: number; y: number },
): MapRegion {
  const sorted = [...sites].sort(([a], [b]) => a.localeCompare(b));
  return {
    ...{ region, x, y, width: regionWidth, height: regionHeight(sites.size) },
    sites: sorted.map(([site, hosts], i) => ({
      ...{ site, hosts, tone: toneOf(hosts), isHere: false },
      x: x + gap,
      y: y + titleHeight + i * (siteSize.height + gap),
    })),
  };
}

function toneOf(hosts: readonly PeerReport[]): Tone {
  const away = hosts.filter(({ state }) => state === 'unreachable').length;
  return away === 0 ? 'good' : away < hosts.length ? 'warn' : 'bad';
}

/** Along the lanes, so that no path crosses a site: those that are well are drawn last, over the others. */
function pathsTo({ x, sites }: MapRegion, here: MapSite): MapPath[] {
  const laneX = x - lane / 2;
  const top = here.y + siteSize.height + rowGap / 2;
  const start = here.x + siteSize.width / 2;
  const order: readonly MapPath['kind'][] = ['none', 'relayed', 'direct'];
  return sites
    .map((site): MapPath => {
      const middle = site.y + siteSize.height / 2;
      const d = `M${start} ${here.y + siteSize.height}V${top}H${laneX}V${middle}H${site.x}`;
      return { site: site.site, kind: kindOf(site.hosts), d };
    })
    .sort((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind));
}

function kindOf(hosts: readonly PeerReport[]): MapPath['kind'] {
  if (hosts.some(({ path }) => path === 'direct')) return 'direct';
  return hosts.some(({ path }) => path === 'relayed') ? 'relayed' : 'none';
}
