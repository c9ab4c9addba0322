import { dayMs, hourMs } from '../../../src/base/units.ts';
import { limits } from '../../../src/core/limits.ts';
import type { KeepingCluster } from '../cluster.ts';
import type { KeepingHost } from '../host.ts';
import type { KeepingChecker, KeepingSeen } from '../observation.ts';

/** What a clock that nobody has set may be off, and a look may take. */
const slackMs = hourMs;

type Purge = { readonly atMs: number; readonly what: string };

/** A day lies between two shards of a pack, and a host deletes no more in a day than its quota. */
export class Slowly implements KeepingChecker {
  readonly name = 'slowly';
  readonly #newest = new Map<string, Purge>();
  readonly #bytes = new Map<KeepingHost, Map<number, number>>();

  observe(seen: KeepingSeen, cluster: KeepingCluster): string | undefined {
    if (seen.kind !== 'purge') return undefined;
    const { host, shard } = seen;
    const isCoded = host.disk.heads.get(shard.pack)?.k !== 1;
    const what = isCoded ? `shard ${shard.index}` : `the copy of site ${host.person.site}`;
    const before = this.#newest.get(shard.pack);
    this.#newest.set(shard.pack, { atMs: cluster.nowMs, what });
    if (
      before !== undefined &&
      before.what !== what &&
      cluster.nowMs < before.atMs + dayMs - slackMs
    ) {
      return `${host.name} deletes ${what} of ${shard.pack.slice(0, 8)} on the day of ${before.what}`;
    }
    return this.#quota(host, shard.size);
  }

  /** By the days of the host, which are those of its conservative time. */
  #quota(host: KeepingHost, size: number): string | undefined {
    const day = Math.floor((host.run?.clock.nowMs() ?? 0) / dayMs);
    const days = this.#bytes.get(host) ?? new Map<number, number>();
    this.#bytes.set(host, days);
    days.set(day, (days.get(day) ?? 0) + size);
    const held = [...host.disk.held.values(), ...host.disk.trash.values()];
    const capacity = held.reduce((sum, one) => sum + one.size, 0);
    const most = Math.max(
      limits.deletionBytesPerDayMin,
      capacity * (limits.deletionPercentPerDay / 100),
    );
    const spent = days.get(day) ?? 0;
    if (spent <= most + size) return undefined;
    return `${host.name} deletes ${spent} bytes on one day`;
  }
}
