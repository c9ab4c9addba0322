import { utf8 } from '../base/bytes.ts';
import type { DatasetRecord, Roster } from '../core/protocol/roster.ts';
import type { ProbeRunner } from '../ports/probe.ts';
import type { Clock } from '../ports/runtime.ts';
import type { StagingAreas } from '../ports/staging.ts';
import { runDrill } from '../services/drill/drill-run.ts';
import type { DurabilityView } from '../services/durability-view.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import { splitPath } from '../services/snapshot-reader.ts';
import type { OpenedSnapshot } from '../services/snapshot-session.ts';
import { draftReport } from './drill-draft.ts';
import type { DrillRequest, DrillRunEvent } from './drill-types.ts';

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
  readonly staging: StagingAreas;
  readonly probes: ProbeRunner;
  /** 32 unpredictable bytes. */
  readonly seed: Uint8Array;
  /** Compares what was restored with live files; how many differ. */
  readonly compare?: (staged: string) => Promise<readonly string[]>;
};

/** A drill of an opened snapshot, with its report. */
export async function* stagedDrill(
  request: Omit<DrillRequest, 'snapshot' | 'stagingDir' | 'compareWith'>,
  parts: StagedDrillParts,
): AsyncGenerator<DrillRunEvent> {
  const { clock, beganMs, signal, opened, dataset, roster, compare } = parts;
  const { staging, probes, seed } = parts;
  const startedMs = clock.nowMs() - (clock.monotonicMs() - beganMs);
  const rpoMs = await ageOfNewest(parts, startedMs);
  const { sampleBytes, kind, terms, bytesMax, checks, runsCommands, keeps } = request;
  const { authority, without } = request;
  const events = runDrill({
    order: {
      path: splitPath(utf8(request.path)),
      ...(sampleBytes === undefined ? {} : { sampleBytes }),
      ...{ seed, bytesMax, checks, runsCommands, keeps },
      ...(compare === undefined ? {} : { compare }),
    },
    ...{ beganMs, opened, clock, signal, staging, probes },
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
