import { relative } from 'node:path';
import { compareTrees } from '../../adapters/fs/compare.ts';
import { stagingAreas } from '../../adapters/fs/staging-area.ts';
import { systemEntropy } from '../../adapters/system/runtime.ts';
import { systemProbes } from '../../adapters/system/probe.ts';
import { utf8 } from '../../base/bytes.ts';
import { MiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { DatasetRecord, Roster } from '../../core/protocol/roster.ts';
import type { Clock } from '../../ports/runtime.ts';
import { runDrill } from '../../services/drill/drill-run.ts';
import type { DurabilityView } from '../../services/durability-view.ts';
import type { ManifestRecord } from '../../services/ledger.ts';
import { splitPath } from '../../services/snapshot-reader.ts';
import type { OpenedSnapshot } from '../../services/snapshot-session.ts';
import { draftReport } from '../drill-draft.ts';
import type { DrillRequest, DrillRunEvent } from '../drill-types.ts';

/** Left free beside what a drill stages. */
const reserveBytes = 512 * MiB;

export type StagedDrillParts = {
  readonly opened: OpenedSnapshot & { readonly record: ManifestRecord };
  readonly dataset: DatasetRecord;
  /** Of the dataset's one history, oldest first. */
  readonly records: readonly ManifestRecord[];
  readonly roster: Pick<Roster, 'member'>;
  readonly view: DurabilityView;
  readonly clock: Clock;
  readonly beganMs: number;
  readonly signal: AbortSignal;
};

/** A drill on this machine's disk, with what it was opened with. */
export async function* stagedDrill(
  request: DrillRequest,
  parts: StagedDrillParts,
): AsyncGenerator<DrillRunEvent> {
  const { clock, beganMs, signal, opened, dataset, roster } = parts;
  const startedMs = clock.nowMs() - (clock.monotonicMs() - beganMs);
  const rpoMs = await ageOfNewest(parts, startedMs);
  const { compareWith, sampleBytes, kind, terms, authority, without } = request;
  const events = runDrill({
    order: {
      path: splitPath(utf8(request.path)),
      ...(sampleBytes === undefined ? {} : { sampleBytes }),
      seed: systemEntropy().bytes(32),
      bytesMax: request.bytesMax,
      checks: request.checks,
      runsCommands: request.runsCommands,
      keeps: request.keeps,
      ...(compareWith === undefined ? {} : { compare: comparing(compareWith, request) }),
    },
    ...{ beganMs, opened, clock, signal },
    staging: stagingAreas({ parent: request.stagingDir, reserveBytes }),
    probes: systemProbes(),
  });
  for await (const event of events) {
    if (event.type !== 'done') {
      yield event;
      continue;
    }
    const { result } = event;
    const endedMs = clock.nowMs();
    const frame = { kind, terms, dataset, roster, startedMs, endedMs, rpoMs, authority };
    const lacking = without === undefined ? {} : { without };
    const report = draftReport(result, { ...frame, ...lacking });
    yield { type: 'report', report, staged: result.staged, isKept: result.isKept };
  }
}

/** Undefined: nothing of it is committed. */
async function ageOfNewest(
  { records, view }: StagedDrillParts,
  nowMs: number,
): Promise<number | undefined> {
  for (const record of records.toReversed()) {
    if ((await view.assess(record)).state !== 'committed') continue;
    return Math.max(0, Math.round(nowMs - record.statement.timeMs));
  }
  return undefined;
}

/** Live files at an absolute path lie at the same path below what was staged. */
function comparing(
  live: string,
  { sampleBytes, path }: DrillRequest,
): (staged: string) => Promise<string[]> {
  if (sampleBytes !== undefined) {
    throw new HoldfastError('usage', 'a sample cannot be compared with live files', {
      next: 'leave out --sample, or --compare',
    });
  }
  // Of a path, its content was restored; of a whole snapshot, the paths from / on.
  const below = path === '/' || path === '' ? relative('/', live) : '';
  return (staged) => compareTrees(live, below === '' ? staged : `${staged}/${below}`);
}
