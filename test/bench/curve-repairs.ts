import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { encodeHolding, encodePackSegments } from '../../src/core/format/facts.ts';
import {
  type AgentKey,
  type FactHash,
  idBytes,
  idOf,
  type PackId,
  type StatementHash,
} from '../../src/core/ids.ts';
import type { Ledger, ManifestRecord, ReceiptRecord } from '../../src/services/ledger.ts';
import type { FactStore } from '../../src/ports/statement-log.ts';
import { RepairView } from '../../src/services/repair/repair-view.ts';
import { everybodyStays } from '../../src/services/standing.ts';
import type { BenchArguments } from './arguments.ts';
import { type Curve, steps } from './curve.ts';

const sites = 8;
const [k, m] = [6, 2];
/** Each leaves out a ten-thousandth of the packs: hourly ones. */
const snapshots = 100;

/** What it costs a host to see what is missing: of everything, and again when nothing, or only a member, has changed. */
export async function curveOfRepairs(
  { scale }: BenchArguments,
  signal: AbortSignal,
): Promise<Curve> {
  const points: number[][] = [];
  for (const packs of steps(1000, Math.max(1000, 1_000_000 * scale))) {
    signal.throwIfAborted();
    points.push([packs, ...(await measured(packs))]);
  }
  const columns = [
    'packs',
    'read, MB',
    'first look, CPU ms',
    'a member comes or goes, CPU ms',
    'nothing has changed, CPU ms',
    'a site is lost, CPU ms',
    'memory, MB',
  ] as const;
  return { id: 'repairs', title: 'Repair planning, 100 snapshots, 8 sites, 6+2', columns, points };
}

async function measured(packs: number): Promise<number[]> {
  const world = new World(packs);
  const view = world.view();
  const heap = heapBytes();
  const first = await cpuOf(() => view.judge());
  const memory = Math.max(0, heapBytes() - heap);
  const { bytesRead } = world;
  world.away = world.agents[3];
  const member = await cpuOf(() => view.judge());
  const quiet = await cpuOf(() => view.isCurrent(member.result));
  if (!quiet.result) throw new Error('nothing has changed');
  world.lost = 'site-2';
  const lost = await cpuOf(() => view.judge());
  if (lost.result.tasks.length < packs) throw new Error('each pack lacks a shard');
  const times = [first, member, quiet, lost].map(({ ms }) => ms);
  return [bytesRead / 1e6, ...times, memory / 1e6];
}

async function cpuOf<Result>(work: () => Promise<Result>): Promise<{ ms: number; result: Result }> {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / 1000, result };
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function hashOf(text: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(text).digest());
}

/** Snapshots of one source, and the words of all hosts about them. */
class World {
  readonly agents = Array.from({ length: sites }, (_, i) => idOf<AgentKey>(hashOf(`agent ${i}`)));
  away: AgentKey | undefined;
  lost: string | undefined;
  bytesRead = 0;
  readonly #facts = new Map<FactHash, Uint8Array>();
  readonly #manifests: ManifestRecord[] = [];
  readonly #receipts = new Map<StatementHash, ReceiptRecord[]>();

  constructor(packs: number) {
    const entries = Array.from({ length: packs }, (_, i) => {
      const pack = idOf<PackId>(hashOf(`pack ${i}`));
      // Hardly two are of one size.
      return { pack, k, m, type: 'data' as const, size: 15_000_000 + ((i * 7919) % 1_000_000) };
    });
    const step = Math.ceil(packs / 10_000);
    for (let i = 0; i < snapshots; i++) this.#snapshot(i, entries.slice(i * step));
  }

  #snapshot(i: number, entries: Parameters<typeof encodePackSegments>[0]): void {
    const shortList = encodePackSegments(entries).map(({ hash, bytes, count }) => {
      const fact = idOf<FactHash>(hash);
      this.#facts.set(fact, bytes);
      return { hash: fact, count };
    });
    const [writer] = this.agents;
    const place = { writer, stream: 'manifests', sequence: i + 1, timeMs: i };
    const hash = idOf<StatementHash>(hashOf(`snapshot ${i}`));
    const manifest = { dataset: 'home', sequence: i + 1 };
    this.#manifests.push({ hash, statement: place, manifest, shortList } as never);
    const receipts = this.agents.map((agent, at) => {
      const holdings = shortList.map(({ hash: segment, count }) =>
        this.#holding(segment, count, at),
      );
      const statement = { ...place, writer: agent };
      const receipt = { freeBytes: 2 ** 40 };
      return { agent, hash, statement, receipt, shortList: holdings } as never as ReceiptRecord;
    });
    this.#receipts.set(hash, receipts);
  }

  /** Shards turn with the place in the list, as rendezvous would have it. */
  #holding(segment: FactHash, count: number, at: number): FactHash {
    const name = idOf<FactHash>(hashOf(`${segment} ${at}`));
    if (this.#facts.has(name)) return name;
    const masks = Array.from({ length: count }, (_, i) => 1 << ((at + i) % sites));
    this.#facts.set(name, encodeHolding({ segment: idBytes(segment), masks }));
    return name;
  }

  view(): RepairView {
    const members = this.agents.map((agentKey, i) => ({
      ...{ agentKey, peerKey: agentKey, name: `host-${i}`, site: `site-${i}`, region: '' },
      hasRole: () => true,
    }));
    const roster = {
      ...{ revision: 1, policy: { version: 1, surviveSites: 2 } },
      members: () => members,
      member: (agent: AgentKey) => members.find(({ agentKey }) => agentKey === agent),
      datasetOf: () => undefined,
    };
    const ledger = {
      ...{ roster, onStatement: () => {}, forks: () => [], isFrozen: () => false },
      manifests: () => [...this.#manifests],
      receipts: (hash: StatementHash) => this.#receipts.get(hash) ?? [],
      packSegments: async ({ shortList }: ManifestRecord) => shortList,
      holdings: async ({ shortList }: ReceiptRecord) => shortList,
    };
    const facts: FactStore = {
      get: async (hash) => {
        const fact = this.#facts.get(idOf(hash));
        this.bytesRead += fact?.length ?? 0;
        return fact;
      },
      has: async (hash) => this.#facts.has(idOf(hash)),
      put: async () => {},
    };
    const [self] = this.agents;
    return new RepairView({
      ...{ ledger: ledger as never as Ledger, facts, self: self as AgentKey },
      peers: { isReachable: (peer: string) => peer !== this.away },
      standing: { ...everybodyStays, isLost: (site) => site === this.lost },
      isDiscarded: () => false,
      clock: {
        nowMs: () => 0,
        monotonicMs: () => performance.now(),
        sleep: async (ms: number) => setTimeout(ms),
      },
    });
  }
}
