import { minuteMs } from '../../src/base/units.ts';
import { limits } from '../../src/core/limits.ts';
import { ControlState } from '../../src/core/protocol/control/control-state.ts';
import { ExpiryKeeper } from '../../src/services/control/expiry-keeper.ts';
import { DeletionQuota } from '../../src/services/deletion-quota.ts';
import { HostClock, readHostTime } from '../../src/services/host-clock.ts';
import { LockKeeper } from '../../src/services/lock-keeper.ts';
import { OrphanBook, readOrphans } from '../../src/services/orphan-book.ts';
import { OrphanKeeper } from '../../src/services/orphan-keeper.ts';
import { PackUse } from '../../src/services/pack-use.ts';
import { RetentionView } from '../../src/services/retention-view.ts';
import { TrashKeeper } from '../../src/services/trash-keeper.ts';
import type { MutantBuild } from '../raft/mutants-build.ts';

/** What hosts are made of: shipped, or a copy with a bug in it. */
export type KeepingParts = {
  readonly ControlState: typeof ControlState;
  readonly DeletionQuota: typeof DeletionQuota;
  readonly ExpiryKeeper: typeof ExpiryKeeper;
  readonly HostClock: typeof HostClock;
  readonly LockKeeper: typeof LockKeeper;
  readonly OrphanBook: typeof OrphanBook;
  readonly OrphanKeeper: typeof OrphanKeeper;
  readonly PackUse: typeof PackUse;
  readonly RetentionView: typeof RetentionView;
  readonly TrashKeeper: typeof TrashKeeper;
  readonly readHostTime: typeof readHostTime;
  readonly readOrphans: typeof readOrphans;
};

/** Graces that end within a run, and a quota that a run can reach; turns of deletion are as shipped. */
const small = {
  orphanGraceMs: 10 * 24 * 60 * minuteMs,
  orphanSilentGraceMs: 14 * 24 * 60 * minuteMs,
  deletionBytesPerDayMin: 3500,
} as const;

Object.assign(limits, small);

export const shippedParts: KeepingParts = {
  ControlState,
  DeletionQuota,
  ExpiryKeeper,
  HostClock,
  LockKeeper,
  OrphanBook,
  OrphanKeeper,
  PackUse,
  RetentionView,
  TrashKeeper,
  readHostTime,
  readOrphans,
};

/** Folders of src that a mutant's copy takes. */
export const partsFolders = ['base', 'core', 'ports', 'services'] as const;

const files: Readonly<Record<keyof KeepingParts, string>> = {
  ControlState: 'core/protocol/control/control-state.ts',
  DeletionQuota: 'services/deletion-quota.ts',
  ExpiryKeeper: 'services/control/expiry-keeper.ts',
  HostClock: 'services/host-clock.ts',
  LockKeeper: 'services/lock-keeper.ts',
  OrphanBook: 'services/orphan-book.ts',
  OrphanKeeper: 'services/orphan-keeper.ts',
  PackUse: 'services/pack-use.ts',
  RetentionView: 'services/retention-view.ts',
  TrashKeeper: 'services/trash-keeper.ts',
  readHostTime: 'services/host-clock.ts',
  readOrphans: 'services/orphan-book.ts',
};

export async function partsOf(build: MutantBuild): Promise<KeepingParts> {
  const own = await build.load<{ limits: typeof limits }>('core/limits.ts');
  Object.assign(own.limits, small);
  const parts: Record<string, unknown> = {};
  for (const [name, file] of Object.entries(files)) {
    const module = await build.load<Record<string, unknown>>(file);
    parts[name] = module[name];
  }
  return parts as KeepingParts;
}
