import { rmSync } from 'node:fs';
import type { Cluster, Forming, Outcome, Site } from '../support/cluster.ts';

const attemptsMax = 5;

/** One site after the other, each tried again: for a machine that is busy with other things, too. */
export async function formPatiently(
  cluster: Cluster,
  [founder, ...others]: readonly Site[],
  forming: Forming,
): Promise<void> {
  if (founder === undefined) return;
  await cluster.found(founder, forming);
  await cluster.start(founder.name);
  for (const site of others) await addPatiently(cluster, site, founder.name);
  await cluster.untilConnected();
}

/** Invites a site, and has it join and run. */
export async function addPatiently(cluster: Cluster, site: Site, through: string): Promise<void> {
  const file = await cluster.invite(site, { through });
  for (let left = attemptsMax - 1; ; left--) {
    try {
      await cluster.join(site.name, file);
      break;
    } catch (error) {
      if (left === 0) throw error;
    }
  }
  await cluster.start(site.name);
}

/** What a busy machine was too slow to answer is typed again, as a person would. */
export async function restorePatiently(
  cluster: Cluster,
  { target, through, onAgain }: { target: string; through: string; onAgain: () => void },
): Promise<Outcome> {
  for (let left = attemptsMax - 1; ; left--) {
    const outcome = await cluster.restore('latest', target, through);
    const isSlow = /"code":"(peer-unreachable|timeout)"/.test(outcome.out);
    if (left === 0 || !isSlow) return outcome;
    rmSync(target, { recursive: true, force: true });
    onAgain();
  }
}
