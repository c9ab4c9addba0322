import { formatSize } from '../../base/quantity.ts';
import { GiB, MiB } from '../../base/units.ts';
import type { ShardUsage } from '../../ports/shard-store.ts';
import type { Condition } from './condition.ts';
import type { Patience } from './patience.ts';

/** A shard of one pack, with what is written beside it. */
const roomMinBytes = 16 * MiB;
/** Whoever has much is warned in time, and not for the last tenth of a large disk. */
const roomMaxBytes = 1 * GiB;
const roomShare = 1 / 20;

export type Room = Pick<ShardUsage, 'bytes' | 'freeBytes' | 'failure'>;

/** So little room that this host will soon take nothing more. */
export function isNearlyFull({ bytes, freeBytes }: Room): boolean {
  return freeBytes < Math.min(roomMaxBytes, Math.max(roomMinBytes, bytes * roomShare));
}

export function roomConditions(room: Room | undefined, host: string): Condition[] {
  if (room === undefined) return [];
  if (room.failure !== undefined) {
    const text = `${host} stores nothing any more, until its agent is started again: ${room.failure}. Next: look at the disk (dmesg, smartctl -a), then start the agent again`;
    return [{ kind: 'disk-failed', subject: host, text, facts: { peer: host } }];
  }
  if (!isNearlyFull(room)) return [];
  const text = `${host} has ${formatSize(room.freeBytes)} left for shards, and holds ${formatSize(room.bytes)}: soon it takes nothing more, and backups are committed with one site less. Next: holdfast peer show ${host}`;
  return [{ kind: 'disk-full', subject: host, text, facts: { peer: host } }];
}

/** `lost`: packs that cannot be rebuilt, as of the last look; undefined: not looked yet. */
export function lossConditions(lost: number | undefined, patience: Patience): Condition[] {
  const sight = { kind: 'data-lost', subject: 'packs' } as const;
  const isWrong = lost === undefined ? undefined : lost > 0;
  if (!patience.isOver({ ...sight, isWrong, afterMs: 0 })) return [];
  const text = `${lost ?? 'some'} packs that snapshots need cannot be rebuilt from what the members have. A host that comes back may bring them. Next: holdfast repair --dry-run`;
  return [{ ...sight, text, facts: { packs: String(lost ?? '') } }];
}
