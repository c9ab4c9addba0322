import { expect, test } from 'vitest';
import { BackupBench } from '../../support/backup-run.ts';
import { BackupCluster, type BackupSite } from '../../support/backup-site.ts';
import { noise } from '../../support/build-snapshot.ts';
import { PlantedTree } from '../../support/planted-tree.ts';
import { TroubledSource } from '../../support/scan-bench.ts';

test('where nothing has to outlive a loss, one copy is enough, however many sites there are', async () => {
  await using tree = new PlantedTree();
  await using source = new TroubledSource();
  await using cluster = await BackupCluster.open(2, { surviveSites: 0 });
  const bench = new BackupBench(cluster.sites[0] as BackupSite, source);
  tree.write('one', noise(300_000, 7));
  const first = await bench.run([tree.path], {});
  expect(first.record?.manifest.changes.bytesNew).toBe(300_000);
  for (let i = 0; i < 2; i++) {
    const { record } = await bench.run([tree.path], {});
    expect(record?.manifest.changes.bytesNew).toBe(0);
  }
});
