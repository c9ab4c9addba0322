import { HoldfastError } from '../../src/core/errors.ts';
import { shardHeadFrom, shardHeadMessage } from '../../src/core/format/shard.ts';
import { idBytes, idOf, type PackId } from '../../src/core/ids.ts';
import { openStatement } from '../../src/core/protocol/opened-statement.ts';
import type { BackupSite } from './backup-site.ts';

/** What a running agent answers to its peers. */
export function answerPeers(site: BackupSite, isStorage: boolean): void {
  const { serve, network, storage, shards, distributor, ledger, sync } = site;
  network.servePulls(async (_, request) => {
    const pack = idOf<PackId>(request.pack);
    if (shards.store.indexes(pack).includes(request.index)) return storage.serve(request);
    const { index, leaf, count } = request;
    const reply = await distributor.serve(pack, index, leaf, count);
    if (reply === undefined) throw new HoldfastError('not-found', 'the shard is not here');
    return reply;
  });
  serve.start();
  if (!isStorage) return;
  serve.register('offer', async ({ head: message }, { peer }) => {
    if (message === undefined) throw new HoldfastError('bad-encoding', 'an offer names no shard');
    const head = shardHeadFrom(message);
    await site.onOffer(head.pack, head.index);
    return storage.take(peer, head);
  });
  serve.register('commit', async ({ manifest }, { peer }) => {
    const { hash } = openStatement(manifest, ledger.cluster);
    await sync.withPeer(peer);
    const record = ledger.manifest(idOf(hash));
    if (record === undefined) throw new HoldfastError('not-found', 'not accepted here');
    await sync.pullFacts(
      peer,
      (record.shortList ?? []).map((segment) => segment.hash),
    );
    return { receipt: await storage.sign(record) };
  });
  serve.register('head', async ({ pack }) => {
    const id = idOf<PackId>(pack);
    const [first, ...rest] = shards.store.indexes(id);
    if (first === undefined) return { indexes: [] };
    const head = await shards.store.head(id, first);
    return { indexes: [first, ...rest], head: shardHeadMessage(head) };
  });
  serve.register('inspect', async ({ packs, readData }) => {
    const found = await storage.inspect(
      packs.map((pack) => idOf<PackId>(pack)),
      readData,
    );
    return {
      shards: found.map(({ pack, index, problem }) => ({
        pack: idBytes(pack),
        index,
        good: problem === undefined,
        problem: problem ?? '',
      })),
    };
  });
}
