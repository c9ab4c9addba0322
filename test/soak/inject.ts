import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from '../partitions/seeded-random.ts';
import { type Cluster, pause } from '../support/cluster.ts';
import { heldShards, shardFiles } from '../support/held-shards.ts';
import { flipBit } from '../support/shard-files.ts';
import type { Cables } from './cables.ts';
import type { Fault } from './fault.ts';

export type Injection = {
  readonly cluster: Cluster;
  readonly cables: Cables;
  readonly random: SeededRandom;
};

/** Two heartbeats missed, which are cut: who falls silent for less may pass unnoticed, and harms nothing. */
const noticedMs = 110_000;

/** Does it, and has undone what ends by itself when it resolves: the agent runs, its cable is mended. */
export async function inject(injection: Injection, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case 'kill':
      return kill(injection, fault);
    case 'wipe':
      return wipe(injection, fault);
    case 'flip':
      return flip(injection, fault);
    case 'cut':
      return cut(injection, fault);
    case 'freeze':
      return freeze(injection, fault);
    default:
      return fault.kind satisfies never;
  }
}

async function kill({ cluster, random }: Injection, fault: Fault): Promise<void> {
  const awayMs = random.between(2_000, 45_000);
  fault.detail = `killed, started again after ${seconds(awayMs)}`;
  await cluster.kill(fault.site);
  await pause(awayMs);
  await cluster.start(fault.site);
}

/** Half of the time the agent does not even end: somebody deletes files under it. */
async function wipe({ cluster, random }: Injection, fault: Fault): Promise<void> {
  const isRunning = random.chance(0.5);
  const count = shardFiles(cluster.state(fault.site)).length;
  fault.detail = `${count} shards deleted ${isRunning ? 'under the running agent' : 'while it was down'}`;
  if (!isRunning) await cluster.kill(fault.site);
  const shards = join(cluster.state(fault.site), 'shards');
  for (const name of readdirSync(shards)) {
    if (/^[0-9a-f]{2}$/.test(name)) rmSync(join(shards, name), { recursive: true, force: true });
  }
  if (!isRunning) await cluster.start(fault.site);
}

async function flip({ cluster, random }: Injection, fault: Fault): Promise<void> {
  const shard = random.pick(heldShards(cluster.state(fault.site)));
  const at = random.between(0, 1_000);
  flipBit(shard.path, shard.offset + at);
  fault.detail = `a bit in ${shard.type} shard ${shard.pack.slice(0, 8)}/${shard.index}`;
}

async function cut({ cables, random }: Injection, fault: Fault): Promise<void> {
  const awayMs = random.between(noticedMs, noticedMs + 40_000);
  fault.detail = `its cable cut for ${seconds(awayMs)}`;
  cables.cut(fault.site);
  await pause(awayMs);
  cables.mend(fault.site);
}

async function freeze({ cluster, random }: Injection, fault: Fault): Promise<void> {
  const awayMs = random.between(noticedMs, noticedMs + 40_000);
  fault.detail = `its process stopped for ${seconds(awayMs)}`;
  const pid = cluster.pid(fault.site);
  process.kill(pid, 'SIGSTOP');
  await pause(awayMs);
  process.kill(pid, 'SIGCONT');
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
