import { randomFillSync } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { inlineCompute } from '../../src/adapters/compute/inline.ts';
import { encodePackSegments, type PackEntry } from '../../src/core/format/facts.ts';
import type { Role } from '../../src/core/format/records.ts';
import { packIdOf } from '../../src/core/format/shard.ts';
import { clusterStream, manifestStream } from '../../src/core/format/statement.ts';
import { type FactHash, idOf, type PackId } from '../../src/core/ids.ts';
import type { ShardStore } from '../../src/ports/shard-store.ts';
import { CatchUp } from '../../src/services/catch-up.ts';
import { Check } from '../../src/services/check.ts';
import { Committer } from '../../src/services/committer.ts';
import { DatasetLines } from '../../src/services/dataset-lines.ts';
import { Distributor } from '../../src/services/distributor.ts';
import { DurabilityView } from '../../src/services/durability-view.ts';
import { Ledger, type ManifestRecord } from '../../src/services/ledger.ts';
import { Outbox } from '../../src/services/outbox.ts';
import type { WrittenPack } from '../../src/services/pack-writer.ts';
import { Status } from '../../src/services/status.ts';
import { StoragePeer } from '../../src/services/storage-peer.ts';
import { ExtraShards } from '../../src/services/tiers/extra-shards.ts';
import { answerPeers } from './answer-peers.ts';
import { noise } from './build-snapshot.ts';
import { LoopHub } from './loop-network.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryKeyValue } from './memory-key-value.ts';
import { MemoryRecords } from './memory-records.ts';
import { MemoryStatementLog } from './memory-statement-log.ts';
import {
  type SampleAgent,
  SampleCluster,
  sampleAgent,
  sampleDataset,
  sampleManifest,
} from './sample-cluster.ts';
import { type SampleHost, sampleHost } from './sample-host.ts';
import { scratchDirectory } from './scratch-directory.ts';
import { openStore } from './shard-files.ts';

export const home = sampleDataset('home');

const memberships = new Map<string, MemoryStatementLog>();

/** A member with its backup services over a loop network; nothing runs in the background. */
export type BackupSite = SampleHost & {
  readonly clock: ManualClock;
  readonly directory: string;
  readonly shards: Awaited<ReturnType<typeof openStore>>;
  readonly outbox: Outbox;
  readonly outboxShards: ShardStore;
  readonly index: MemoryKeyValue;
  readonly view: DurabilityView;
  readonly storage: StoragePeer;
  readonly extras: ExtraShards;
  readonly distributor: Distributor;
  readonly committer: Committer;
  readonly check: Check;
  readonly status: Status;
  readonly catchUp: CatchUp;
  /** Runs before an offer is answered: may wait, may throw. */
  onOffer: (pack: PackId, index: number) => Promise<void>;
};

/** Sites with a host each, named site-0 and so on; the first is the founder. */
export class BackupCluster implements AsyncDisposable {
  readonly hub = new LoopHub();
  readonly clock = new ManualClock();
  readonly cluster: SampleCluster;
  readonly sites: BackupSite[] = [];
  readonly #scratch = scratchDirectory();
  readonly #agents: SampleAgent[];
  readonly #envelopes: Uint8Array[];

  private constructor(
    count: number,
    options: { surviveSites: number; founderRoles: readonly Role[] },
  ) {
    const founder = sampleAgent('site-0', { roles: options.founderRoles });
    const { surviveSites } = options;
    this.cluster = new SampleCluster('sample', {
      founder: founder.descriptor,
      policy: { version: 1, surviveSites },
    });
    const others = Array.from({ length: count - 1 }, (_, i) => sampleAgent(`site-${i + 1}`));
    this.#agents = [founder, ...others];
    // The cluster signs admissions in the name of its own founder.
    Object.assign(this.cluster, { founder });
    this.#envelopes = others.flatMap((agent) => this.cluster.admit(agent));
  }

  /** `late`: members all the same, but not started; see `start`. */
  static async open(
    count: number,
    options: {
      surviveSites?: number;
      founderRoles?: readonly Role[];
      late?: readonly number[];
    } = {},
  ): Promise<BackupCluster> {
    const { surviveSites = 2, founderRoles = ['source', 'storage'], late = [] } = options;
    const cluster = new BackupCluster(count, { surviveSites, founderRoles });
    for (let i = 0; i < count; i++) if (!late.includes(i)) await cluster.start(i);
    return cluster;
  }

  /** Starts a member and connects it with all who run. */
  async start(i: number): Promise<BackupSite> {
    const site = await this.#site(this.#agents[i] as SampleAgent, join(this.#scratch.path, `${i}`));
    this.sites[i] = site;
    await this.meet();
    return site;
  }

  /** Everybody meets everybody who can be reached, and learns what the others know. */
  async meet(): Promise<void> {
    await this.hub.heal();
    const running = this.sites.filter((site) => site !== undefined);
    for (const a of running) {
      for (const b of running) {
        if (a !== b) await a.network.connect(b.network.self, b.network.addresses());
      }
    }
    await this.sync();
  }

  async sync(): Promise<void> {
    for (const a of this.sites.filter((site) => site !== undefined)) {
      for (const { peer } of a.network.connections()) await a.sync.withPeer(peer);
    }
  }

  isolate(i: number): void {
    this.hub.isolate((this.sites[i] as BackupSite).network.self);
  }

  /** The log of a host that has just joined. Signatures are checked once for all clusters alike: that takes long. */
  async #membership(agent: SampleAgent): Promise<MemoryStatementLog> {
    const { genesisBytes, id } = this.cluster;
    const name = `${id} ${this.#agents.length}`;
    const known = memberships.get(name) ?? new MemoryStatementLog();
    if (!memberships.has(name)) {
      const { clock } = this;
      const ledger = await Ledger.open({ genesisBytes, log: known, clock, self: agent });
      for (const envelope of this.#envelopes) await ledger.ingest(envelope);
      memberships.set(name, known);
    }
    return known.copy();
  }

  async #site(agent: SampleAgent, path: string): Promise<BackupSite> {
    const { hub, cluster, clock } = this;
    const host = await sampleHost(
      { hub, cluster, clock, agent },
      { log: await this.#membership(agent) },
    );
    const paths = { shards: join(path, 'shards'), outbox: join(path, 'outbox') };
    for (const one of Object.values(paths)) mkdirSync(one, { recursive: true });
    const shards = await openStore(paths.shards);
    const waiting = await openStore(paths.outbox);
    const index = new MemoryKeyValue();
    const outbox = await Outbox.open(waiting.store, index);
    const { ledger, network, peers, facts, logger: log, sync } = host;
    const { agentKey: self } = agent;
    const isStorage = agent.descriptor.roles.includes('storage');
    const store = isStorage ? shards.store : undefined;
    const view = new DurabilityView(ledger, facts);
    const extras = new ExtraShards(new MemoryRecords(), new Map());
    const storage = new StoragePeer({
      ...{ network, ledger, store: shards.store, facts, log, extras },
      isDiscarded: () => false,
    });
    const own = isStorage ? storage : undefined;
    const shared = { ledger, self, peers, view, clock, log, network };
    const distributor = new Distributor({ ...shared, store, outbox });
    const site: BackupSite = {
      ...host,
      clock,
      directory: paths.shards,
      shards,
      outbox,
      outboxShards: waiting.store,
      index,
      view,
      storage,
      extras,
      distributor,
      committer: new Committer({
        ...{ ...shared, sync, distributor, outbox, storage: own },
        isOut: (agent) => ledger.roster.member(agent) === undefined,
      }),
      check: new Check({ ...shared, storage: own, entropy }),
      status: new Status({ ...shared, lines: new DatasetLines(host.ledger) }),
      catchUp: new CatchUp({ ...shared, store: shards.store, storage, isDiscarded: () => false }),
      onOffer: async () => {},
      [Symbol.asyncDispose]: async () => {
        await host[Symbol.asyncDispose]();
        await waiting[Symbol.asyncDispose]();
        await shards[Symbol.asyncDispose]();
      },
    };
    answerPeers(site, isStorage);
    return site;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const site of this.sites) await site?.[Symbol.asyncDispose]();
    await this.#scratch[Symbol.asyncDispose]();
  }
}

const compute = inlineCompute();

/** A coded pack of noise, as a pack writer hands it over. */
export async function writtenPack(
  seed: number,
  options: { k?: number; m?: number; type?: 'data' | 'metadata'; size?: number } = {},
): Promise<WrittenPack> {
  const { k = 1, m = 0, type = 'data', size = 200_000 } = options;
  const encoded = await compute.encode({ parts: [noise(size, seed)], k, m });
  const pack = packIdOf({ k, m, packSize: size, roots: encoded.roots });
  return {
    keyEpoch: 1,
    ordinal: seed,
    entry: { pack, k, m, type, size },
    encoded,
    records: [],
    bytesDense: 0,
  };
}

/** What a manifest of these packs says; its facts are stored. The dataset is described first. */
export async function prepareManifest(site: BackupSite, packs: readonly PackEntry[]) {
  const { ledger, facts, agent } = site;
  const isKnown = ledger.roster.datasets().some(({ id }) => id === home.id);
  if (!isKnown) await ledger.append(clusterStream, home);
  const segments = encodePackSegments(packs);
  for (const { hash, bytes } of segments) await facts.put(hash, bytes);
  const packSegments = segments.map(({ hash, count }) => ({ hash: idOf<FactHash>(hash), count }));
  const before = ledger.head(agent.agentKey, manifestStream(home.id));
  const { surviveSites } = ledger.roster.policy;
  return sampleManifest(home.id, before, { packSegments, surviveSites });
}

/** Signs a snapshot of these packs, and asks nobody for a receipt. */
export async function signSnapshot(
  site: BackupSite,
  packs: readonly PackEntry[],
): Promise<ManifestRecord> {
  const manifest = await prepareManifest(site, packs);
  const { hash } = await site.ledger.append(manifestStream(home.id), manifest);
  return site.ledger.manifest(hash) as ManifestRecord;
}

/** Waits for what takes as long as disks take; fails after about a second. */
export async function until(isTrue: () => boolean, what = 'what was waited for'): Promise<void> {
  for (let i = 0; i < 800; i++) {
    if (isTrue()) return;
    await setTimeout(1);
  }
  throw new Error(`${what} did not happen`);
}

export const entropy = {
  bytes: (count: number): Uint8Array => randomFillSync(new Uint8Array(count)),
};
