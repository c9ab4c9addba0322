import { MiB } from '../../../base/units.ts';
import { criterion, type Scenario, seconds, sinceNow } from './scenario.ts';

/** A satellite line, on a busy day. */
const line = { delayMs: 150, bytesPerSecond: 2 * MiB } as const;

const committedWithinMs = 300_000;

/** All lines become slow, and one site stalls: it takes connections, and says nothing. */
export function slowNetwork(surviveSites: number): Scenario {
  return async function* (sandbox) {
    const { processes, network, source, founder, others } = sandbox;
    const snapshots = await processes.api(founder).snapshots({});
    const before = await sandbox.rehearse(founder);
    yield `On a good network the restore takes ${seconds(before.times.rtoMs ?? 0)}. Now ${2 * line.delayMs} ms there and back, and 2 MiB/s on each line.`;
    const elapsed = sinceNow();
    network.slow(line);
    const stalled = surviveSites > 0 ? others.at(-1) : undefined;
    if (stalled !== undefined) {
      network.isolate(stalled);
      yield `${stalled} stalls: connections stay open, and nothing comes.`;
    }
    // It may end before the slowest has signed: what counts is when it is committed.
    await processes.run(source, sandbox.backupCommand);
    const count = snapshots.length + 1;
    await processes.until('the snapshot is committed', committedWithinMs, async () => {
      const known = await processes.api(founder).snapshots({});
      return known.length >= count && known.at(-1)?.state === 'committed';
    });
    const backedUpMs = elapsed();
    yield `Backed up over these lines in ${seconds(backedUpMs)}. Restoring over them.`;
    const restored = await sandbox.rehearse(founder);
    const [slow, fast] = [restored.times.rtoMs ?? 0, before.times.rtoMs ?? 0];
    return {
      times: { recoverMs: slow },
      criteria: [
        criterion('a backup over slow lines', true, `was committed in ${seconds(backedUpMs)}`),
        criterion(
          'slower than before by',
          true,
          `${(slow / Math.max(1, fast)).toFixed(1)} times: ${seconds(fast)} before, ${seconds(slow)} now`,
        ),
      ],
      restored,
    };
  };
}
