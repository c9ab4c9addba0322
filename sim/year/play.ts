import { shardSizeOf } from '../../src/core/format/shard.ts';
import { chooseCode } from '../../src/core/policy/code-choice.ts';
import { packSize, YearBackups } from './backups.ts';
import { siteCount, surviveSites, YearCluster } from './cluster.ts';
import type { YearParts } from './parts.ts';
import { shortStepMs } from './steps.ts';
import { YearWatch } from './watch.ts';

/** Lets time pass: everybody does what is due, in small steps while something is being mended. */
export class YearPlay {
  readonly cluster: YearCluster;
  readonly backups: YearBackups;
  readonly watch: YearWatch;
  shardsMade = 0;

  private constructor(cluster: YearCluster) {
    this.cluster = cluster;
    this.backups = new YearBackups(cluster);
    this.watch = new YearWatch(cluster, this.backups);
  }

  static async open(options: { seed: number; parts: YearParts }): Promise<YearPlay> {
    const { k } = chooseCode({ siteCount, surviveSites });
    const shardSize = shardSizeOf({ k, packSize });
    return new YearPlay(await YearCluster.open({ ...options, shardSize }));
  }

  async pass(ms: number): Promise<void> {
    const cluster = this.cluster;
    const endMs = cluster.nowMs + ms;
    while (cluster.nowMs < endMs) {
      await this.#everybody();
      const isDue = cluster.hosts.some(
        (host) => host.run !== undefined && (host.isBusy || host.lookAtMs < endMs),
      );
      const spanMs = isDue ? Math.min(shortStepMs, endMs - cluster.nowMs) : endMs - cluster.nowMs;
      cluster.nowMs += spanMs;
      for (const host of cluster.hosts) host.pass(spanMs);
      this.watch.look();
    }
  }

  async #everybody(): Promise<void> {
    const cluster = this.cluster;
    for (const host of cluster.hosts) if (host.isUp && host.run === undefined) await host.start();
    await cluster.spread();
    if (this.backups.waiting > 0 && cluster.source.run !== undefined) {
      await this.backups.deliver();
    }
    for (const host of cluster.hosts) {
      if (host.run === undefined || !host.isUp || host.isBusy) continue;
      const before = host.run.repairs.state.made;
      const receipts = host.receipts;
      await host.work();
      this.shardsMade += host.run.repairs.state.made - before;
      // Told at once: whoever comes next in this step knows what was made.
      if (host.receipts !== receipts) await cluster.spread();
    }
  }
}
