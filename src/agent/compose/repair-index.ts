import { rm } from 'node:fs/promises';
import { openShardStore } from '../../adapters/fs/shard-store.ts';
import { openStateDirectory } from '../../adapters/fs/state-directory.ts';
import { openStatementLog } from '../../adapters/fs/statement-log.ts';
import { openKeyValue } from '../../adapters/level/key-value.ts';
import { stateFiles } from './identity.ts';
import { quietLog } from './quiet-log.ts';

/**
 * Throws the index away and builds it again from the shard files. What a source knew of its own datasets
 * goes with it: its next backup reads every file once more and sends what it cannot recognise.
 * @throws HoldfastError no-cluster | state-in-use
 */
export async function repairIndex(
  stateDir: string,
): Promise<{ shards: number; quarantined: number; statements: number }> {
  const state = await openStateDirectory(stateDir, { create: false });
  state.requireCluster(stateFiles.genesis);
  await using _ = state.lock();
  await rm(state.paths.index, { recursive: true, force: true });
  await using index = await openKeyValue(state.paths.index);
  const counts = { shards: 0, quarantined: 0 };
  for (const name of ['shards', 'outbox'] as const) {
    const options = { directory: state.paths[name], index, keyPrefix: `${name}/` };
    await using store = await openShardStore({ ...options, reserveBytes: 0, log: quietLog });
    const found = await store.rebuild();
    counts.shards += found.shards;
    counts.quarantined += found.quarantined;
  }
  await using log = await openStatementLog(state.paths.statements, quietLog);
  const statements = log.heads().reduce((sum, head) => sum + head.sequence, 0);
  return { ...counts, statements };
}
