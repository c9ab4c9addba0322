import type { DrillKind } from '../../core/policy/drill-report.ts';
import { shellWord } from './words.ts';

/** What a person has chosen. */
export type DrillWish = {
  readonly scenario: DrillKind;
  readonly dataset: string;
  /** Path of its file; empty: none. */
  readonly kit: string;
  /** Of a file. */
  readonly path: string;
  /** Of a site loss; empty: the source's site. */
  readonly without: readonly string[];
  readonly isSandbox: boolean;
};

type Choice = {
  readonly kind: DrillKind;
  readonly title: string;
  /** What it does to what is backed up; of those that need a fault, what it does in a sandbox. */
  readonly live: string;
  readonly sandbox: string;
};

const staged =
  "into a staging area on the agent's host, reads everything back, compares every digest, and measures. Nothing that is live is touched.";
const made = "Founds a cluster on the agent's host with made-up data of the dataset's shape";

/** In the order of how often they are of use. */
export const scenarioChoices: readonly Choice[] = [
  {
    kind: 'dataset',
    title: 'Restore the dataset',
    live: `Restores all of it ${staged}`,
    sandbox: `${made}, and restores all of it.`,
  },
  {
    kind: 'file',
    title: 'Restore one file or directory',
    live: `Restores it ${staged}`,
    sandbox: `${made}, and restores one file.`,
  },
  {
    kind: 'site-loss',
    title: 'A site is lost',
    live: `Asks nobody at the lost sites, as if they had burnt down, and restores the dataset from the others ${staged}`,
    sandbox: `${made}, cuts off the source and as many sites as may be lost, destroys their disks, and restores from the others.`,
  },
  {
    kind: 'key-loss',
    title: 'The recovery kit is lost',
    live: '',
    sandbox: `${made}, splits its kit among custodians, loses it, restores with their shares, and puts the lost kit out of use.`,
  },
  {
    kind: 'ransomware',
    title: 'Ransomware',
    live: '',
    sandbox: `${made}, encrypts it at the source, sees whether the others notice, attacks the good snapshots with the source's keys, and restores the last good one.`,
  },
  {
    kind: 'partition',
    title: 'The network is cut in two',
    live: '',
    sandbox: `${made}, cuts its network in two, sees that only one side decides, backs up on the other, mends it, and restores.`,
  },
  {
    kind: 'slow-network',
    title: 'A slow network',
    live: '',
    sandbox: `${made}, makes all its lines slow, stalls one site, backs up, and restores.`,
  },
];

/** What cannot be made without harm to what is in use, or, from this page, without shares. */
export function isSandboxOnly(scenario: DrillKind): boolean {
  return scenarioChoices.some(({ kind, live }) => kind === scenario && live === '');
}

export function needsKit({ scenario, isSandbox }: DrillWish): boolean {
  return !isSandbox && !isSandboxOnly(scenario);
}

/** The same at a terminal. */
export function wishCommand(wish: DrillWish): string {
  const { scenario, dataset, kit, path, without } = wish;
  const isSandbox = !needsKit(wish);
  const subject =
    scenario === 'file' && !isSandbox ? `${dataset}:${path === '' ? '/PATH' : path}` : dataset;
  const kitWords = kit !== '' ? ` --kit ${shellWord(kit)}` : isSandbox ? '' : ' --kit FILE';
  const lost =
    scenario === 'site-loss' && !isSandbox
      ? without.map((site) => ` --without ${shellWord(site)}`).join('')
      : '';
  // At a terminal shares are a choice, too.
  const isChoice = scenario === 'key-loss' || !isSandboxOnly(scenario);
  const sandbox = isSandbox && isChoice ? ' --sandbox' : '';
  return `holdfast drill run ${scenario} ${shellWord(subject)}${sandbox}${lost}${kitWords}`;
}
