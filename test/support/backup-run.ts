import { inlineCompute } from '../../src/adapters/compute/inline.ts';
import { concat, utf8 } from '../../src/base/bytes.ts';
import { clusterStream } from '../../src/core/format/statement.ts';
import { kindOf } from '../../src/core/format/tree.ts';
import type { PackId } from '../../src/core/ids.ts';
import type { Sealer } from '../../src/ports/sealer.ts';
import {
  Backup,
  type BackupJob,
  type BackupProgress,
  type BackupResult,
} from '../../src/services/backup.ts';
import { DatasetIndex } from '../../src/services/dataset-index.ts';
import type { OwnDataset } from '../../src/services/datasets.ts';
import { DurabilityView } from '../../src/services/durability-view.ts';
import { FrameReader } from '../../src/services/frame-reader.ts';
import type { ManifestRecord } from '../../src/services/ledger.ts';
import { PackReader } from '../../src/services/pack-reader.ts';
import { Selection } from '../../src/services/selection.ts';
import { joinPath, SnapshotReader } from '../../src/services/snapshot-reader.ts';
import { type BackupSite, entropy, home } from './backup-site.ts';
import { plainSealer } from './build-snapshot.ts';
import { sampleChunking, type TroubledSource } from './scan-bench.ts';

const sealer = plainSealer();
const { identity } = await sealer.generate();

export type RunOptions = {
  dryRun?: boolean;
  force?: boolean;
  canaries?: readonly string[];
  repacking?: NonNullable<BackupJob['repacking']>;
  signal?: AbortSignal;
  /** Instead of signing. */
  sign?: () => never;
};

/** Backs up real directories of this host as a site would. */
export class BackupBench {
  readonly site: BackupSite;
  readonly source: TroubledSource;
  readonly #backup: Backup;
  readonly #recipient: string | undefined;
  #own: OwnDataset | undefined;
  /** Packs that are on their way out, each time that the backup looks. */
  expired: () => readonly PackId[] = () => [];
  /** A run begins that may place something; what it returns is called at its end. */
  begin: () => () => void = () => () => {};

  /** Sites that were asked to leave. */
  readonly leaving = new Set<string>();

  /** Of packs, those that kept snapshots before the given ones name. */
  stillNamed: (packs: ReadonlyMap<PackId, number>) => ReadonlySet<PackId> = () => new Set();

  /** `sealing`: instead of a plain sealer; the dataset is sealed to its recipient. */
  constructor(
    site: BackupSite,
    source: TroubledSource,
    sealing?: { readonly sealer: Sealer; readonly recipient: string },
  ) {
    this.#recipient = sealing?.recipient;
    this.site = site;
    this.source = source;
    const { ledger, peers, logger: log, facts, distributor, committer } = site;
    const standing = {
      isLost: () => false,
      isLeaving: (member: { readonly site: string }) => this.leaving.has(member.site),
      isFailing: () => false,
    };
    const view = new DurabilityView(ledger, facts, standing);
    // Long after every change of a file: everything looks settled.
    const clock = Object.assign(Object.create(site.clock), {
      nowMs: () => Date.now() + 3_600_000,
      monotonicMs: () => site.clock.monotonicMs(),
      sleep: (ms: number) => site.clock.sleep(ms),
    });
    const self = site.agent.agentKey;
    const shared = { ledger, self, peers, log, facts, distributor, committer, view, clock };
    this.#backup = new Backup({
      packUse: {
        unneeded: async (_, isWanted) => {
          const gone = this.expired().filter((pack) => isWanted(pack));
          const nobody = { users: [], size: 1, k: 1, m: 0 };
          return { packs: new Map(gone.map((pack) => [pack, nobody])) };
        },
        namedBefore: async (_, packs) => ({ packs: this.stillNamed(packs) }),
      },
      ...shared,
      source,
      compute: inlineCompute(),
      sealer: sealing?.sealer ?? sealer,
      entropy,
      ownFreeBytes: () => 1,
      standing,
      underWay: { begin: () => this.begin() },
    });
  }

  /** The dataset `home`, described to everybody on first use. */
  async own(): Promise<OwnDataset> {
    const { ledger, index } = this.site;
    if (this.#own !== undefined) return this.#own;
    await ledger.append(clusterStream, home);
    const dataset = ledger.roster.dataset(home.id);
    const opened = await DatasetIndex.open(index, home.id);
    const isKeyGone = (): boolean => false;
    this.#own = { dataset, chunking: sampleChunking, index: opened, isKeyGone };
    return this.#own;
  }

  /** Everything that the site remembers of the dataset is gone. */
  async forget(): Promise<void> {
    const own = await this.own();
    const { index } = this.site;
    const all = [new Uint8Array(0), new Uint8Array(60).fill(0xff)] as const;
    for await (const { key } of index.range(...all)) await index.batch([{ type: 'delete', key }]);
    this.#own = { ...own, index: await DatasetIndex.open(index, home.id) };
  }

  async run(
    paths: readonly string[],
    options: RunOptions = {},
  ): Promise<BackupResult & { progress: readonly BackupProgress[] }> {
    const { dryRun = false, force = false, signal = new AbortController().signal } = options;
    const canaries = (options.canaries ?? []).map(utf8);
    const given = paths.map(utf8);
    const none = { excludes: [], excludeIfPresent: [], excludeLargerThan: undefined };
    const selection = new Selection({
      ...none,
      paths: given,
      excludeCaches: false,
      oneFileSystem: false,
    });
    const { dataset, ...rest } = await this.own();
    const own = {
      ...rest,
      dataset: { ...dataset, recipient: this.#recipient ?? dataset.recipient },
    };
    const words = { tags: [], annotations: [], host: 'host', program: 'holdfast test' };
    const right = { sign: <T>(_: unknown, sign: () => Promise<T>) => (options.sign ?? sign)() };
    const order = { paths: given, selection, compressionLevel: 1, dryRun, force, canaries };
    const { repacking } = options;
    const job = {
      ...{ own, incarnation: 0, right, ...order, ...words },
      ...(repacking !== undefined && { repacking }),
    };
    const progress: BackupProgress[] = [];
    for await (const one of this.#backup.run(job, signal)) progress.push(one);
    const last = progress.at(-1);
    if (last?.kind !== 'done') throw new Error('a backup ends with its result');
    return { ...last.result, progress };
  }
}

/** A snapshot as a site can read it: from its own shards and from whomever it reaches. */
export async function openSnapshot(
  site: BackupSite,
  record: ManifestRecord | undefined,
): Promise<SnapshotReader> {
  if (record === undefined) throw new Error('there is no snapshot');
  const located = await site.view.holders(record);
  const { network, clock, logger: log } = site;
  const compute = inlineCompute();
  const { store } = site.shards;
  const source = { locate: (pack: Parameters<typeof located.get>[0]) => located.get(pack) };
  const packs = new PackReader({ network, source, compute, clock, log, store });
  const options = { packs, compute, sealer, dataset: home.id, identities: [identity] };
  return SnapshotReader.open({ manifest: record.manifest, frames: new FrameReader(options) });
}

/** The content of every file of a snapshot, by path. */
export async function filesOf(reader: SnapshotReader): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for await (const { path, entry } of reader.walk(reader.rootEntry.tree)) {
    if (kindOf(entry.mode) !== 'file') continue;
    const parts: Uint8Array[] = [];
    for await (const { id, length } of reader.extents(entry)) {
      parts.push(id === undefined ? new Uint8Array(length) : (await reader.chunk(id)).slice());
    }
    files.set(new TextDecoder().decode(joinPath(path)), concat(parts));
  }
  return files;
}
