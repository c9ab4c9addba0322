import { toHex } from '../base/bytes.ts';
import { HoldfastError } from '../core/errors.ts';
import { shardHeadFrom, shardHeadMessage } from '../core/format/shard.ts';
import { idBytes, idOf, type PackId, type PeerKey } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import { openStatement } from '../core/protocol/opened-statement.ts';
import type { Clock, Log } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { ShardTiers } from '../ports/shard-tiers.ts';
import type { DurabilityView } from './durability-view.ts';
import type { Ledger } from './ledger.ts';
import { PeerLines } from './peer-lines.ts';
import type { Serve } from './serve.ts';
import type { StoragePeer } from './storage-peer.ts';
import type { Sync } from './sync.ts';
import { answerCold } from './tiers/answer-cold.ts';

export type StorageAnswersOptions = {
  readonly storage: StoragePeer;
  readonly ledger: Ledger;
  readonly sync: Sync;
  readonly view: DurabilityView;
  readonly store: ShardStore;
  /** Undefined on a host without a cold store. */
  readonly tiers: ShardTiers | undefined;
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonicMs'>;
};

/** Lets other members store here, have snapshots signed, and look at what is held. */
export function answerStorage(
  serve: Pick<Serve, 'register'>,
  options: StorageAnswersOptions,
): void {
  const { storage, store, log } = options;
  const lines = new PeerLines(options);
  answerCold(serve, options);
  serve.register('offer', async ({ head }, caller) => {
    if (head === undefined) throw new HoldfastError('bad-encoding', 'an offer names no shard');
    const { peer, trace } = caller;
    const { hadIt } = await storage.take(peer, shardHeadFrom(head), trace);
    log.log('debug', storageMessages.shardTaken, {
      ...{ peer, pack: toHex(head.pack), index: head.index, hadIt },
      ...(trace && { trace }),
    });
    return { hadIt };
  });
  serve.register('commit', async ({ manifest }, caller) => {
    const { peer, trace } = caller;
    const receipt = await signFor(peer, manifest, options);
    lines.info(peer, storageMessages.receiptSigned, { ...(trace && { trace }) });
    return { receipt };
  });
  serve.register('head', ({ pack }) => heads(pack, store));
  serve.register('inspect', async ({ packs, readData }) => {
    if (packs.length > limits.inspectPacksMax) {
      throw new HoldfastError('limit-exceeded', `at most ${limits.inspectPacksMax} packs at once`);
    }
    const ids = packs.map((pack) => idOf<PackId>(pack));
    const shards = await storage.inspect(ids, readData);
    return {
      shards: shards.map(({ pack, index, problem }) => ({
        pack: idBytes(pack),
        index,
        good: problem === undefined,
        problem: problem ?? '',
      })),
    };
  });
}

/** Takes the manifest into the ledger, with whatever of its sequence and facts is missing, and signs. */
async function signFor(
  peer: PeerKey,
  envelope: Uint8Array,
  { ledger, sync, storage }: StorageAnswersOptions,
): Promise<Uint8Array> {
  const { hash, statement } = openStatement(envelope, ledger.cluster);
  const isKnown = ledger.manifest(idOf(hash)) !== undefined;
  const objection = isKnown ? undefined : sync.objection(statement.writer, statement.stream);
  if (objection !== undefined) {
    throw new HoldfastError('limit-exceeded', `no more is taken of this member: ${objection}`, {
      next: 'an operator looks at that host, or raises writers[].budget in the policy',
    });
  }
  const outcome = await ledger.ingest(envelope);
  if (
    outcome.outcome === 'refused' &&
    outcome.code !== 'not-found' &&
    outcome.code !== 'unknown-writer'
  ) {
    throw new HoldfastError(outcome.code, outcome.reason);
  }
  // What came before it is missing here: a gap, its dataset, its writer's admission.
  if (outcome.outcome === 'gap' || outcome.outcome === 'refused') await sync.withPeer(peer);
  const record = ledger.manifest(idOf(hash));
  if (record === undefined) {
    throw new HoldfastError('not-found', `manifest ${statement.sequence} was not accepted here`);
  }
  const segments = (await ledger.packSegments(record)).map(({ hash: segment }) => segment);
  await sync.pullFacts(peer, segments, statement.writer);
  return storage.sign(record);
}

async function heads(
  pack: Uint8Array,
  store: ShardStore,
): Promise<{ indexes: number[]; head?: ReturnType<typeof shardHeadMessage> }> {
  const id = idOf<PackId>(pack);
  const indexes = [...store.indexes(id)];
  const [first] = indexes;
  if (first === undefined) return { indexes };
  return { indexes, head: shardHeadMessage(await store.head(id, first)) };
}
