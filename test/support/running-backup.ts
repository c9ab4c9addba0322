import type { BackupEvent, BackupRequest } from '../../src/agent/api.ts';
import type { Cluster } from './cluster.ts';

export type BackupStatus = Extract<BackupEvent, { type: 'status' }>;

/** What the command line asks for with nothing but paths. */
export function plainRequest(paths: readonly string[]): BackupRequest {
  return {
    paths: paths.map((path) => Buffer.from(path).toString('base64')),
    tags: [],
    exclude: [],
    iexclude: [],
    excludeIfPresent: [],
    excludeCaches: false,
    oneFileSystem: false,
    dryRun: false,
    force: false,
  };
}

/**
 * Starts a backup, and acts as soon as its progress is as asked for; then follows it to its end.
 * @returns whether it was still running when `act` began, and how it ended.
 */
export async function interruptBackup(
  cluster: Cluster,
  backup: { site: string; paths: readonly string[] },
  moment: { isReached: (status: BackupStatus) => boolean; act: () => Promise<void> },
): Promise<{ wasRunning: boolean; last: BackupEvent | undefined; error: unknown }> {
  let acting: Promise<void> | undefined;
  let last: BackupEvent | undefined;
  let error: unknown;
  try {
    for await (const event of cluster.api(backup.site).backup(plainRequest(backup.paths))) {
      last = event;
      if (acting === undefined && event.type === 'status' && moment.isReached(event)) {
        acting = moment.act();
      }
    }
  } catch (thrown) {
    error = thrown;
  }
  const wasRunning = acting !== undefined;
  await (acting ?? moment.act());
  return { wasRunning, last, error };
}
