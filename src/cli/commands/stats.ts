import type { Command } from 'commander';
import type { DatasetStats, DatasetUse, PeerStats, StatsReport } from '../../agent/stats-types.ts';
import { formatSize } from '../../base/quantity.ts';
import type { Register } from '../action.ts';
import { untilInterrupted } from '../events.ts';
import { message } from '../json-fields.ts';
import { kitFileOf, openSession, type RecoveryFlags, recoveryOptions } from '../recovery.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type StatsFlags = RecoveryFlags & { dataset?: string };

/** A dataset, with what walking its snapshots has shown where a kit was given. */
type Row = DatasetStats & { use?: DatasetUse };

/** stats. */
export function addStats(program: Command, register: Register): void {
  const command = program
    .command('stats')
    .description(
      'Show what is stored and what of it is of use: deduplication, compression, expansion, waste.',
    )
    .option('--dataset <name>', 'only of this dataset');
  register<StatsFlags>(recoveryOptions(command), async (context, { options }) => {
    const { dataset } = options;
    const control = context.backend.control(context.stateDir);
    const report = await control.stats(dataset === undefined ? {} : { dataset });
    const uses = await usesOf(context, options);
    const rows = report.datasets.map((one): Row => {
      const use = uses.get(one.id);
      return use === undefined ? one : { ...one, use };
    });
    if (context.output.isJson) await json(context, rows, report);
    else await print(context, rows, report);
  });
}

/** What is of use in packs shows only to who can open them. */
async function usesOf(context: CliContext, flags: StatsFlags): Promise<Map<string, DatasetUse>> {
  const uses = new Map<string, DatasetUse>();
  if (kitFileOf(context, flags) === undefined) return uses;
  await using session = await openSession(context, flags);
  const { dataset } = flags;
  const found = session.use(dataset === undefined ? {} : { dataset });
  for await (const use of untilInterrupted(found, context.signal)) uses.set(use.id, use);
  return uses;
}

/** The numbers that people ask for; undefined: not known here. */
function ratiosOf({ restoredBytes, content, use, expansion, deadPackBytes, packBytes }: Row): {
  deduplication?: number;
  compression?: number;
  expansion?: number;
  wasteBytes?: number;
  wasteShare?: number;
} {
  const seen = use?.data ?? content;
  const wasteBytes =
    use === undefined || deadPackBytes === undefined
      ? undefined
      : use.data.deadFrameBytes + use.metadata.deadFrameBytes + deadPackBytes;
  const all = packBytes + (deadPackBytes ?? 0);
  return {
    ...(seen !== undefined &&
      seen.chunkBytes > 0 && { deduplication: restoredBytes / seen.chunkBytes }),
    ...(seen !== undefined &&
      seen.frameBytes > 0 && { compression: seen.chunkBytes / seen.frameBytes }),
    ...(expansion !== undefined && { expansion }),
    ...(wasteBytes !== undefined && { wasteBytes, wasteShare: all === 0 ? 0 : wasteBytes / all }),
  };
}

async function json({ output }: CliContext, rows: readonly Row[], report: StatsReport) {
  for (const row of rows) {
    await output.json(message('dataset_stats', { ...row, ...ratiosOf(row) }));
  }
  for (const peer of report.peers) await output.json(message('peer_stats', peer));
  const { missingLists } = report;
  await output.json(message('summary', { ...totalsOf(rows), missingLists }));
}

const summed = [
  'snapshots',
  'restoredBytes',
  'packs',
  'packBytes',
  'dataPackBytes',
  'storedBytes',
] as const;

function totalsOf(rows: readonly Row[]): Record<(typeof summed)[number], number> {
  const sum = (field: (typeof summed)[number]): number =>
    rows.reduce((all, row) => all + row[field], 0);
  return Object.fromEntries(summed.map((field) => [field, sum(field)])) as ReturnType<
    typeof totalsOf
  >;
}

async function print(
  context: CliContext,
  rows: readonly Row[],
  { peers, missingLists }: StatsReport,
): Promise<void> {
  const { output } = context;
  const right = { align: 'right' } as const;
  if (rows.length > 0) {
    await output.table(
      [
        { title: 'DATASET' },
        { title: 'SNAPSHOTS', ...right },
        { title: 'RESTORED', ...right },
        { title: 'CONTENT', ...right },
        { title: 'DEDUP', ...right },
        { title: 'COMPRESSION', ...right },
        { title: 'PACKS', ...right },
        { title: 'STORED', ...right },
        { title: 'EXPANSION', ...right },
        { title: 'WASTE', ...right },
      ],
      rows.map(datasetRow),
    );
  }
  const { snapshots, restoredBytes, packBytes, storedBytes } = totalsOf(rows);
  await output.print(
    `${counted(snapshots, 'snapshot')}: ${formatSize(restoredBytes)} restored, ${formatSize(packBytes)} sealed, ${formatSize(storedBytes)} stored`,
    '',
  );
  await output.table(
    [
      { title: 'PEER' },
      { title: 'SITE' },
      { title: 'SIGNED FOR', ...right },
      { title: 'HOLDS', ...right },
      { title: 'QUOTA', ...right },
      { title: 'FREE', ...right },
      { title: 'RESERVE', ...right },
    ],
    peers.map(peerRow),
  );
  if (missingLists > 0) {
    await output.remark(
      `${counted(missingLists, 'list')} of packs not arrived yet: what they name is not counted`,
    );
  }
  await explain(context, rows);
}

async function explain({ output, stateFlag }: CliContext, rows: readonly Row[]): Promise<void> {
  for (const { name, mostlyDead } of rows) {
    if (mostlyDead === undefined || mostlyDead.packs === 0) continue;
    const { packs, bytes, unusedBytes } = mostlyDead;
    await output.remark(
      `${clean(name)}: ${counted(packs, 'pack')} mostly dead (${formatSize(unusedBytes)} of ${formatSize(bytes)} not in the newest snapshot); where snapshots expire, a backup gives them up once no older one needs more of them`,
    );
  }
  const elsewhere = rows.filter((row) => row.content === undefined && row.use === undefined);
  if (elsewhere.length > 0) {
    const names = elsewhere.map(({ name, source }) => `${name} (${source})`).join(', ');
    await output.remark(
      `deduplication and compression are known at the source of each, and with --kit: ${names}`,
    );
  }
  if (rows.some(({ use, snapshots }) => use === undefined && snapshots > 0)) {
    await output.remark(
      `what is of no use inside packs shows only to who can open them: holdfast stats --kit FILE${stateFlag}`,
    );
  }
}

function datasetRow(row: Row): string[] {
  const { deduplication, compression, expansion, wasteBytes, wasteShare = 0 } = ratiosOf(row);
  const content = row.use?.data ?? row.content;
  return [
    clean(row.name),
    String(row.snapshots),
    formatSize(row.restoredBytes),
    sizeOr(content?.chunkBytes),
    times(deduplication),
    times(compression),
    formatSize(row.packBytes),
    formatSize(row.storedBytes),
    expansionWords(expansion, row.hotExpansion),
    wasteBytes === undefined ? '-' : `${formatSize(wasteBytes)} (${percent(wasteShare)})`,
  ];
}

/** "1.67x +0.83x hot": what full copies for speed cost stands apart. */
function expansionWords(expansion: number | undefined, hot = 0): string {
  if (expansion === undefined || hot === 0) return times(expansion);
  return `${times(expansion - hot)} +${times(hot)} hot`;
}

function peerRow(peer: PeerStats): string[] {
  return [
    clean(peer.name),
    clean(peer.site),
    formatSize(peer.signedBytes),
    sizeOr(peer.shardBytes),
    peer.quotaBytes === undefined && peer.reserveBytes !== undefined
      ? 'none'
      : sizeOr(peer.quotaBytes),
    sizeOr(peer.freeBytes),
    sizeOr(peer.reserveBytes),
  ];
}

function sizeOr(bytes: number | undefined): string {
  return bytes === undefined ? '-' : formatSize(bytes);
}

function times(ratio: number | undefined): string {
  return ratio === undefined ? '-' : `${ratio.toFixed(2)}x`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
