import { HoldfastError } from '../src/core/errors.ts';
import { encodeHolding, encodePackSegments, factHash } from '../src/core/format/facts.ts';
import { noChanges } from '../src/core/format/manifest.ts';
import type { Dataset, Manifest } from '../src/core/format/records.ts';
import { clusterStream, manifestStream, receiptStream } from '../src/core/format/statement.ts';
import {
  type DatasetId,
  type FactHash,
  idBytes,
  idOf,
  type PackId,
  type StatementHash,
} from '../src/core/ids.ts';
import type { Run, SimAgent } from './agent.ts';
import { founder, inviteFor, operatorKey, operatorSecret, recipient, signed } from './cast.ts';
import type { Prng } from './prng.ts';
import { epochMs, type World } from './world.ts';

const inviteLifeMs = 3_600_000;

/** What members do of their own accord. One thing at a time each; a crash ends it without a word. */
export class Workload {
  readonly #world: World;
  readonly #random: Prng;
  readonly #agents: readonly SimAgent[];
  readonly #busy = new Map<SimAgent, Run | undefined>();
  readonly #onFailure: (error: unknown) => void;
  readonly #codes = new Map<SimAgent, Parameters<SimAgent['join']>[0]>();
  #addressCount = 0;
  said = 0;

  constructor(world: World, agents: readonly SimAgent[], onFailure: (error: unknown) => void) {
    this.#world = world;
    this.#random = world.random.fork();
    this.#agents = agents;
    this.#onFailure = onFailure;
  }

  step(agent = this.#next()): void {
    const roll = this.#random.below(100);
    const { run, isMember } = agent;
    if (!isMember) this.#begin(agent, undefined, () => this.#admit(agent));
    else if (run === undefined) return;
    else if (roll < 35) this.#begin(agent, run, () => this.#manifest(agent, run));
    else if (roll < 75) this.#begin(agent, run, () => this.#receipt(run));
    else if (roll < 80) this.#move(agent);
  }

  /** Whoever is not in yet tries harder. */
  #next(): SimAgent {
    const outside = this.#agents.filter(({ isMember }) => !isMember);
    const isTheirs = outside.length > 0 && this.#random.chance(300);
    return this.#random.pick(isTheirs ? outside : this.#agents);
  }

  /** In the background. */
  #begin(agent: SimAgent, run: Run | undefined, work: () => Promise<void>): void {
    // A run that has crashed never finishes what it has begun.
    if (this.#busy.has(agent) && this.#busy.get(agent) === run) return;
    this.#busy.set(agent, run);
    void work()
      .catch((error: unknown) => {
        if (!(error instanceof HoldfastError)) this.#onFailure(error);
        else this.#world.note(`${agent.name} could not: ${error.code}`);
      })
      .finally(() => {
        if (this.#busy.get(agent) === run) this.#busy.delete(agent);
      });
  }

  async #manifest({ person }: SimAgent, { ledger, facts }: Run): Promise<void> {
    await ledger.ready();
    const id = idOf<DatasetId>(idBytes(person.agentKey).subarray(0, 16));
    const isKnown = ledger.roster.datasets().some((dataset) => dataset.id === id);
    if (!isKnown) await ledger.append(clusterStream, datasetNamed(person.descriptor.name, id));
    const count = this.#random.between(1, 3);
    const entries = Array.from({ length: count }, () => ({
      pack: idOf<PackId>(this.#random.bytes(32)),
      k: 1,
      m: 2,
      type: 'data' as const,
      size: 4096,
    }));
    const segments = encodePackSegments(entries);
    for (const { hash, bytes } of segments) await facts.put(hash, bytes);
    const packSegments = segments.map(({ hash, count }) => ({ hash: idOf<FactHash>(hash), count }));
    const after = ledger.head(person.agentKey, manifestStream(id));
    const body = manifestAfter(id, after, packSegments);
    await ledger.append(manifestStream(id), body);
    this.said++;
  }

  /** For a manifest that is known here, with facts that are. */
  async #receipt({ ledger, facts }: Run): Promise<void> {
    await ledger.ready();
    const manifests = ledger.manifests();
    if (manifests.length === 0) return;
    const record = this.#random.pick(manifests);
    const holdings: FactHash[] = [];
    for (const { hash, count } of record.shortList ?? []) {
      const masks = Array.from({ length: count }, () => this.#random.between(0, 7));
      const fact = encodeHolding({ segment: idBytes(hash), masks });
      await facts.put(factHash(fact), fact);
      holdings.push(idOf<FactHash>(factHash(fact)));
    }
    const counts = { freeBytes: this.#random.below(1_000_000), shardCount: 1 };
    await ledger.append(receiptStream, {
      kind: 'receipt',
      manifest: record.hash,
      holdings,
      ...counts,
    });
    this.said++;
  }

  /** The host gets another address; its connections end. */
  #move(agent: SimAgent): void {
    agent.address = `/ip4/10.0.${agent.address.split('.')[2]}.${(this.#addressCount++ % 250) + 1}/tcp/7420`;
    this.#world.note(`${agent.name} moves to ${agent.address}`);
    const connections = agent.run?.network.connections() ?? [];
    for (const { peer } of connections) void agent.run?.network.disconnect(peer);
  }

  /** An operator at the founder's host makes an invite, and the newcomer tries it until it is in. */
  async #admit(agent: SimAgent): Promise<void> {
    const host = this.#agents.find(({ person }) => person === founder);
    const code = this.#codes.get(agent);
    if (host?.run === undefined) return;
    if (code === undefined) return this.#invite(agent, host, host.run);
    const { clock } = host.run;
    const isIn = await agent.join(code);
    if (!isIn && clock.nowMs() > code.notAfterMs) this.#codes.delete(agent);
  }

  async #invite(agent: SimAgent, host: SimAgent, { ledger, clock }: Run): Promise<void> {
    const secret = this.#random.bytes(32);
    const timeMs = clock.nowMs();
    const notAfterMs = timeMs + inviteLifeMs;
    const body = inviteFor(agent.person, { code: secret, notAfterMs });
    const after = ledger.head(operatorKey, clusterStream);
    const { envelope } = signed({ secret: operatorSecret, body, after, timeMs });
    const contact = { peer: founder.peerKey, multiaddrs: [host.address] };
    const appended = ledger.appendSigned(envelope).then(() => {
      this.#codes.set(agent, { secret, notAfterMs, contact });
    });
    // The founder may crash meanwhile; the newcomer must not wait for that for ever.
    await Promise.race([appended, this.#world.wait(30_000)]);
  }
}

function datasetNamed(name: string, id: DatasetId): { kind: 'dataset' } & Dataset {
  const sizes = { chunkMin: 16384, chunkAverage: 65536, chunkMax: 262144 };
  const wrappedIdentity = Uint8Array.of(1, 2, 3);
  return { kind: 'dataset', id, name, ...sizes, keyEpoch: 1, recipient, wrappedIdentity };
}

const noTotals = {
  files: 1,
  directories: 1,
  others: 0,
  bytes: 10,
  bytesRead: 10,
  bytesAdded: 10,
  filesNew: 1,
  filesChanged: 0,
  filesUnmodified: 0,
  filesUnstable: 0,
  chunksNew: 1,
  durationMs: 1,
};

/** The manifest that follows `after` in its dataset. */
export function manifestAfter(
  dataset: DatasetId,
  after: { readonly sequence: number; readonly hash: Uint8Array } | undefined,
  packSegments: Manifest['packSegments'],
): { kind: 'manifest' } & Manifest {
  const root = { frame: 0, frameOffset: 2048, frameSize: 100, offset: 0, length: 50 };
  return {
    kind: 'manifest',
    dataset,
    writerEpoch: 1,
    sequence: (after?.sequence ?? 0) + 1,
    previous: after === undefined ? undefined : idOf<StatementHash>(after.hash),
    snapshotKind: 'increment',
    policyVersion: 1,
    keyEpoch: 1,
    root: { pack: idOf<PackId>(factHash(new Uint8Array(1))), ...root },
    packSegments,
    totals: noTotals,
    sourceTimeMs: epochMs,
    nextByMs: 0,
    tags: [],
    host: 'simulated',
    program: 'sim',
    surviveSites: 1,
    changes: noChanges,
  };
}
