import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, pause } from '../support/cluster.ts';
import { heldShards } from '../support/held-shards.ts';
import { flipBit } from '../support/shard-files.ts';

export type FaultKind = 'kill' | 'wipe' | 'flip' | 'cut';

/** Something that was done to a site, and when it was known and made good. Times in milliseconds since the start. */
export type Fault = {
  readonly kind: FaultKind;
  readonly site: string;
  readonly detail: string;
  readonly atMs: number;
  /** Somebody has noticed: a shard found damaged or missing, a site that does not answer. */
  detectedMs?: number;
  /** Everything is whole again, in the eyes of everybody. */
  mendedMs?: number;
};

export type Draw = (below: number) => number;

/** A small generator: the same seed does the same things in the same order. */
export function drawFrom(seed: number): Draw {
  let state = (seed * 2654435761) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

/** Does it, and leaves nothing running that should not: the agent is there again when it resolves. */
export async function inject(
  cluster: Cluster,
  { kind, site }: Pick<Fault, 'kind' | 'site'>,
  draw: Draw,
): Promise<string> {
  if (kind === 'kill') {
    await cluster.kill(site);
    await pause(3000 + draw(12_000));
    await cluster.start(site);
    return 'killed and started again';
  }
  if (kind === 'wipe') {
    await cluster.kill(site);
    const shards = join(cluster.state(site), 'shards');
    for (const name of readdirSync(shards)) rmSync(join(shards, name), { recursive: true });
    await cluster.start(site);
    return 'the disk with its shards was emptied';
  }
  if (kind === 'cut') {
    const pid = cluster.pid(site);
    process.kill(pid, 'SIGSTOP');
    const ms = 15_000 + draw(30_000);
    await pause(ms);
    process.kill(pid, 'SIGCONT');
    return `nothing of it was heard for ${Math.round(ms / 1000)} s`;
  }
  const shards = heldShards(cluster.state(site));
  const shard = shards[draw(Math.max(1, shards.length))];
  if (shard === undefined) return 'it held nothing';
  flipBit(shard.path, shard.offset + draw(1000));
  return `a bit of shard ${shard.index} of pack ${shard.pack.slice(0, 8)}`;
}
