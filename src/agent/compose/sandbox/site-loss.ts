import { listed } from './names.ts';
import { ageOfNewest, criterion, type Scenario, seconds, sinceNow } from './scenario.ts';

const seenWithinMs = 120_000;

/** The source's site burns down, and as many others with it as the policy says may be lost. */
export function siteLoss(surviveSites: number): Scenario {
  return async function* (sandbox) {
    const { processes, network, source, others } = sandbox;
    const lost = [source, ...others.slice(1, Math.max(1, surviveSites))];
    const survivor = sandbox.founder;
    const rpoMs = (await ageOfNewest(sandbox, { at: survivor, agoMs: 0 })) ?? 0;
    yield `Losing ${listed(lost)} without a word: the line is cut, the host is off, the disk is gone.`;
    const elapsed = sinceNow();
    // Cut first: a host without power sends no farewell.
    for (const site of lost) network.isolate(site);
    for (const site of lost) await processes.lose(site);
    await processes.until('the survivors miss the lost sites', seenWithinMs, () =>
      sandbox.isApart(survivor, lost),
    );
    const detectMs = elapsed();
    yield `${survivor} knows after ${seconds(detectMs)} that they do not answer.`;
    await processes.until('the data can be restored without them', seenWithinMs, () =>
      sandbox.restorableAt(survivor),
    );
    const containMs = elapsed();
    const left = others.filter((site) => !lost.includes(site));
    yield `${listed(left)} hold all that is needed. Restoring from them with the kit alone.`;
    const restored = await sandbox.rehearse(survivor);
    const recoverMs = elapsed();
    const used = restored.sites.filter((site) => lost.includes(site));
    return {
      times: { detectMs, containMs, recoverMs, rpoMs },
      criteria: [
        criterion(
          `without ${lost.join(', ')}`,
          used.length === 0,
          `every byte came from ${restored.sites.join(', ')}`,
        ),
      ],
      restored,
    };
  };
}
