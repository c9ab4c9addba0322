import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listed } from './names.ts';
import { criterion, type Scenario, seconds, sinceNow } from './scenario.ts';

const seenWithinMs = 120_000;

/** The network is cut in two; the source is on the smaller side. */
export function partition(): Scenario {
  return async function* (sandbox) {
    const { processes, network, source, founder, others, sites } = sandbox;
    const few = [source, ...others.slice(others.length - (Math.ceil(sites.length / 2) - 2))];
    const most = others.filter((site) => !few.includes(site));
    yield `Cutting the network: ${listed(few)} on one side, ${listed(most)} on the other.`;
    const elapsed = sinceNow();
    network.partition([most, few]);
    await processes.until('both sides miss each other', seenWithinMs, async () => {
      const seen = [sandbox.isApart(founder, few), sandbox.isApart(source, most)];
      return (await Promise.all(seen)).every((isApart) => isApart);
    });
    const detectMs = elapsed();
    yield `Both sides know after ${seconds(detectMs)}. Waiting until one of them decides, and only one.`;
    await processes.until('the larger side has a quorum, and the smaller none', seenWithinMs, () =>
      hasQuorums(sandbox, { most: founder, few: source }),
    );
    const containMs = elapsed();
    const voices = await decide(sandbox);
    writeFileSync(join(sandbox.treePath, 'made-while-apart'), 'written on the smaller side\n');
    const backup = await processes.run(source, sandbox.backupCommand);
    yield `Decided where most voters are, refused where they are not. The cut-off source has backed up on (code ${backup.code}). Mending the network.`;
    network.mend();
    const mended = sinceNow();
    await processes.untilConnected(sites.map(({ name }) => name));
    await sandbox.backUp();
    await processes.until('all have one history', seenWithinMs, () => isOne(sandbox));
    const recoverMs = mended();
    yield `One history again ${seconds(recoverMs)} after the mend. Restoring what was written meanwhile.`;
    const restored = await sandbox.rehearse(founder);
    return {
      times: { detectMs, containMs, recoverMs },
      criteria: [
        ...voices,
        criterion('backups of the cut-off source', [0, 22].includes(backup.code), 'were kept'),
        criterion('one history', true, 'every member holds the same policy and the same snapshots'),
      ],
      restored,
    };
  };
}

async function hasQuorums(
  { processes }: Parameters<Scenario>[0],
  { most, few }: { most: string; few: string },
): Promise<boolean> {
  const [above, below] = await Promise.all([
    processes.api(most).status(),
    processes.api(few).status(),
  ]);
  return above.coordinator.hasQuorum && !below.coordinator.hasQuorum;
}

/** The same operator signs on both sides. */
async function decide({ processes, source, founder }: Parameters<Scenario>[0]) {
  const key = ['--operator-key', join(processes.state(founder), 'operator.key')];
  const change = (span: string): string[] => ['policy', 'set', '--decree-notice', span, '--json'];
  const [few, most] = await Promise.all([
    processes.run(source, [...change('41m'), ...key]),
    processes.run(founder, [...change('42m'), ...key]),
  ]);
  return [
    criterion('a decision without a quorum', few.code === 20, `was refused (${few.code})`),
    criterion('a decision with one', most.code === 0, `was taken (${most.code})`),
  ];
}

/** Every member names the same policy and the same newest snapshot. */
async function isOne({ processes, sites }: Parameters<Scenario>[0]): Promise<boolean> {
  const seen = await Promise.all(
    sites.map(async ({ name }) => {
      const api = processes.api(name);
      const [{ version }, snapshots] = await Promise.all([api.policy(), api.snapshots({})]);
      const newest = snapshots.at(-1);
      return `${version} ${newest?.id} ${newest?.state}`;
    }),
  );
  return new Set(seen).size === 1 && seen[0]?.endsWith('committed') === true;
}
