import type { Patch } from '../raft/mutants-build.ts';
import type { DataPlan } from './plan.ts';

/** A deliberate bug somewhere on the way from a file to a restored file. */
export type DataMutant = {
  /** What it does wrong; continues "an agent that". */
  readonly name: string;
  readonly patches: readonly Patch[];
  /** So many seeds are enough to find it. */
  readonly seedsMax: number;
  /** Of the checker that finds it. */
  readonly finder: string;
  /** What the seeds have in common, so that they meet it. */
  readonly plan?: Partial<DataPlan>;
};

function mutant(
  name: string,
  found: { readonly by: string; readonly within: number; readonly plan?: Partial<DataPlan> },
  ...patches: readonly Patch[]
): DataMutant {
  const { by: finder, within: seedsMax, plan } = found;
  return { name, finder, seedsMax, patches, ...(plan === undefined ? {} : { plan }) };
}

function service(file: string, old: string, replacement: string): Patch {
  return { file: `services/${file}`, old, new: replacement };
}

function core(file: string, old: string, replacement: string): Patch {
  return { file: `core/${file}`, old, new: replacement };
}

/** Every copy of everything, at once, from disks that are well otherwise. */
const allShardsGone: Partial<DataPlan> = {
  ...{ siteCount: 3, surviveSites: 1, victims: [0, 1, 2], lie: undefined },
  faults: [0, 1, 2].map((agent) => ({
    kind: 'lose-shards',
    atMs: 25_000 + 100 * agent,
    spanMs: 400,
    agent,
  })),
};

/** A full copy that is wanted for a while at a site that holds shards of its own, where nothing else goes wrong. */
const hotForAWhile: Partial<DataPlan> = {
  ...{ siteCount: 5, surviveSites: 1, victims: [], lie: undefined, faults: [] },
  ...{ hasSmallDisks: false, hasNewcomer: false, durationMs: 90_000 },
  hot: { agent: 3, fromMs: 20_000, untilMs: 60_000 },
};

export const dataMutants: readonly DataMutant[] = [
  mutant(
    'signs before its disk has synced',
    { by: 'true-receipts', within: 10 },
    service('storage-peer.ts', 'await store.sync();\n    const holdings', 'const holdings'),
    service(
      'storage-peer.ts',
      'await writer.finish();\n    // The source forgets',
      'await writer.finish();\n    return;\n    // The source forgets',
    ),
  ),
  mutant(
    'signs for shards that it does not have',
    { by: 'true-receipts', within: 10 },
    service(
      'storage-peer.ts',
      'maskOf(store.indexes(entry.pack))',
      '(2 ** (entry.k + entry.m) - 1) >>> 0',
    ),
  ),
  mutant(
    'deletes a shard after it has handed it out',
    { by: 'kept', within: 10 },
    service(
      'storage-peer.ts',
      'return request.withHead ?',
      'await store.remove(pack, request.index);\n    return request.withHead ?',
    ),
  ),
  mutant(
    'takes a time for settled that may still hide a change',
    { by: 'faithful', within: 20, plan: { tickMs: 40, faults: [] } },
    service('scan-ahead.ts', 'const settleNs = 100_000_000n;', 'const settleNs = -100_000_000n;'),
  ),
  mutant(
    'reuses what it knows of a file whatever its time says',
    { by: 'faithful', within: 10 },
    service('scan-entry.ts', 'before.ctimeNs === facts.ctimeNs &&', ''),
    service('scan-entry.ts', 'before.mtimeNs === facts.mtimeNs &&', ''),
  ),
  mutant(
    'believes that one site more may fail',
    { by: 'honest-view', within: 10 },
    core('policy/durability.ts', '  return lost - 1;', '  return lost;'),
  ),
  mutant(
    'counts members that are away',
    { by: 'honest-view', within: 20 },
    service(
      'status.ts',
      'await view.assess(record, (agent) => this.isReachable(agent))',
      'await view.assess(record)',
    ),
  ),
  mutant(
    'puts every shard at one site',
    { by: 'one-shard-a-site', within: 10, plan: { siteCount: 5 } },
    core(
      'policy/placement.ts',
      'const chosen = remaining.shift();',
      'const chosen = remaining[0];',
    ),
  ),
  mutant(
    'makes parity of nothing',
    {
      by: 'faithful',
      within: 20,
      plan: { siteCount: 4, surviveSites: 1, victims: [2], lie: 'refuses', faults: [] },
    },
    core(
      'coding/pack-coding.ts',
      '...encodeParity(data, m)',
      '...encodeParity(data.map((one) => one.map(() => 0)), m)',
    ),
  ),
  mutant(
    'takes leaves that do not match their hash',
    {
      by: 'faithful',
      within: 20,
      plan: { siteCount: 4, surviveSites: 1, victims: [2], lie: 'corrupts', faults: [] },
    },
    service('leaf-fetcher.ts', 'if (bad === undefined) return bytes;', 'return bytes;'),
  ),
  mutant(
    'never asks others for receipts',
    { by: 'converged', within: 10, plan: { victims: [], lie: undefined, faults: [] } },
    service(
      'sync.ts',
      'return count + (await this.#pullEach(peer, manifestsFirst));',
      "return count + (await this.#pullEach(peer, manifestsFirst.filter((one) => one.stream !== 'receipts')));",
    ),
  ),
  mutant(
    'leaves in its outbox what waits there',
    { by: 'delivered', within: 30 },
    service('committer.ts', 'await distributor.flush(agent);', ''),
  ),
  mutant(
    'answers a pull with all that is left of the shard',
    { by: 'bounded', within: 10 },
    service(
      'distributor.ts',
      'const end = Math.min(staged.bytes.length, (leaf + count) * limits.leafSize);',
      'const end = staged.bytes.length;',
    ),
  ),
  mutant(
    'seals packs to nobody who has the kit',
    { by: 'faithful', within: 5 },
    service(
      'pack-writer.ts',
      'this.#options.sealer.seal([this.#options.recipient], key)',
      "this.#options.sealer.seal(['age1pq1nobody'], key)",
    ),
  ),
  mutant(
    'tells of a statement before it is on the disk',
    { by: 'failure', within: 20 },
    service(
      'ledger.ts',
      'await this.#options.log.append({ writer, stream }, { sequence, hash, envelope });',
      'void this.#options.log.append({ writer, stream }, { sequence, hash, envelope });',
    ),
  ),
  mutant(
    'goes on from packs that are lost',
    { by: 'liveness', within: 10, plan: allShardsGone },
    service('stale-packs.ts', 'await this.#forgetLost(newest);', ''),
  ),
  mutant(
    'does not say which files it could not restore',
    { by: 'faithful', within: 60 },
    service(
      'restore.ts',
      'if (error instanceof ContentLost) yield this.#lost(path, error.reason);',
      'if (error instanceof ContentLost) this.#lost(path, error.reason);',
    ),
  ),
  mutant(
    'removes a full copy and leaves its word in force',
    { by: 'full-copies', within: 10, plan: hotForAWhile },
    service(
      'tiers/extra-remover.ts',
      'for (const record of users) await storage.sign(record);',
      'void storage;',
    ),
  ),
  mutant(
    'makes a full copy without writing down that it is one',
    { by: 'one-shard-a-site', within: 10, plan: hotForAWhile },
    service(
      'tiers/extra-shards.ts',
      'await this.#set(pack, this.maskOf(pack) | added);',
      'void added;',
    ),
  ),
];
