import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../support/cluster.ts';
import type { Fleet } from '../fleet.ts';
import { answered } from '../watch.ts';

/** A directory with a few files. @returns its path */
export function someFiles(fleet: Fleet, host: string): string {
  const directory = join(fleet.root, 'srv', host);
  mkdirSync(directory, { recursive: true });
  for (let i = 0; i < 12; i++) {
    writeFileSync(join(directory, `page-${i}.html`), `<p>${`page ${i} `.repeat(4000)}</p>\n`);
  }
  return directory;
}

/** Waits until this agent knows a leader that a quorum has confirmed. */
export async function untilCalm(fleet: Fleet, host: string): Promise<void> {
  await until(`${host} knows a confirmed leader`, 60_000, async () => {
    const report = await answered(fleet.api(host).coordinator()).catch(() => undefined);
    return report?.isConfirmed === true;
  });
}

/** Waits until a plan can name the newest snapshot of a dataset. */
export async function untilAnchored(fleet: Fleet, host: string, dataset: string): Promise<void> {
  await until(`${dataset} is anchored`, 60_000, async () => {
    const { site } = await fleet.api(host).identity();
    const draft = { target: { site }, datasets: [dataset] };
    const plan = fleet.api(host).resolvePlan({ draft });
    return plan.then(() => true).catch(() => false);
  });
}
