import type { KeepingCluster } from '../cluster.ts';
import type { KeepingChecker } from '../observation.ts';

/** In the end what is gone lies nowhere any more, and nothing is left in the trash. */
export class Deleted implements KeepingChecker {
  readonly name = 'deleted';

  settled(cluster: KeepingCluster): string | undefined {
    for (const host of cluster.hosts) {
      if (host.knowsFork) continue;
      for (const { pack } of host.disk.held.values()) {
        const users = cluster.usersOf(pack);
        const isLocked = users.some(({ record }) => {
          const lock = host.disk.locks.get(record.hash);
          return lock !== undefined && Math.max(lock.complianceMs, lock.governanceMs) > host.wallMs;
        });
        if (isLocked || users.some((one) => !cluster.isGone(one))) continue;
        const why = users.length === 0 ? 'no snapshot names' : 'only snapshots need that are gone';
        return `${host.name} still holds ${pack.slice(0, 8)}, which ${why}`;
      }
      const [left] = host.disk.trash.values();
      if (left === undefined) continue;
      const isOnItsWay = cluster.usersOf(left.pack).some((one) => !cluster.isGone(one));
      if (!isOnItsWay) return `${left.pack.slice(0, 8)} is still in the trash of ${host.name}`;
    }
    return undefined;
  }
}
