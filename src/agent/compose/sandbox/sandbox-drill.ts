import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stagingAreas } from '../../../adapters/fs/staging-area.ts';
import { systemClock } from '../../../adapters/system/runtime.ts';
import { formatSize } from '../../../base/quantity.ts';
import { MiB } from '../../../base/units.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { DrillKind, DrillReport } from '../../../core/policy/drill-report.ts';
import type { DrillRunEvent, SandboxRequest } from '../../drill-types.ts';
import { keyLoss } from './key-loss.ts';
import { partition } from './partition.ts';
import { ransomware } from './ransomware.ts';
import { Sandbox } from './sandbox.ts';
import { failedReport, sandboxReport } from './sandbox-report.ts';
import { type Findings, type Scenario, sinceNow } from './scenario.ts';
import { siteLoss } from './site-loss.ts';
import { slowNetwork } from './slow-network.ts';

/** Left free beside what a drill takes. */
const reserveBytes = 512 * MiB;
/** The data, what all sites hold of two snapshots of it, and what is restored. */
const timesItsSize = 6;
/** Logs, state and compiled code of the agents. */
const agentBytes = 32 * MiB;

/** Makes a cluster of this machine's own, does to it what the scenario says, and takes it down. */
export async function* sandboxDrill(
  request: SandboxRequest,
  signal: AbortSignal,
): AsyncGenerator<DrillRunEvent> {
  const { stagingDir, bytesMax, sites, timeMaxMs } = request;
  const startedMs = systemClock().nowMs();
  const timed = AbortSignal.any([signal, AbortSignal.timeout(timeMaxMs)]);
  const bytes = timesItsSize * bytesMax + sites * agentBytes;
  await using area = await stagingAreas({ parent: stagingDir, reserveBytes }).open({
    bytes,
    files: 0,
  });
  if (request.keeps) area.keep();
  const root = join(area.path, 'sandbox');
  mkdirSync(root, { mode: 0o700 });
  const around = { request, startedMs };
  let report: DrillReport;
  try {
    const { findings, scale } = yield* inSandbox(request, { root, signal: timed });
    report = sandboxReport(findings, { ...around, scale, endedMs: systemClock().nowMs() });
  } catch (error) {
    signal.throwIfAborted();
    const failure = failureOf(error, timed, timeMaxMs);
    yield { type: 'notice', message: failure.message };
    report = failedReport(failure, { ...around, endedMs: systemClock().nowMs() });
  }
  yield { type: 'report', report, staged: root, isKept: request.keeps };
}

async function* inSandbox(
  request: SandboxRequest,
  around: { root: string; signal: AbortSignal },
): AsyncGenerator<DrillRunEvent, { findings: Findings; scale: number }> {
  const { scenario, shape, surviveSites } = request;
  await using sandbox = await Sandbox.open(request, around);
  const { tree, sites } = sandbox;
  yield step(
    `A cluster of ${sites.length} sites on this machine, any ${surviveSites} of which may be lost; ${tree.files.length} made-up files of ${formatSize(tree.bytes)} in all, like those of ${request.dataset.name}.`,
  );
  await sandbox.form(surviveSites);
  yield step(`Backing up twice at ${sandbox.source}.`);
  await sandbox.backUpTwice(shape);
  const run = scenarios[scenario](surviveSites)(sandbox);
  for (;;) {
    const next = await run.next();
    if (next.done === true) return { findings: next.value, scale: tree.scale };
    yield step(next.value);
  }
}

function step(text: string): DrillRunEvent {
  return { type: 'step', text };
}

const scenarios: Record<DrillKind, (surviveSites: number) => Scenario> = {
  dataset: () => plainRestore(() => undefined),
  file: () => plainRestore((files) => files[0]),
  'site-loss': siteLoss,
  'key-loss': keyLoss,
  ransomware,
  partition,
  'slow-network': slowNetwork,
};

/** Nothing is wrong: all of it, or one file. */
function plainRestore(pathOf: (files: readonly string[]) => string | undefined): Scenario {
  return async function* (sandbox) {
    const files = sandbox.tree.files.map(({ path }) => join(sandbox.treePath, path));
    const path = pathOf(files);
    yield path === undefined ? 'Restoring all of it.' : `Restoring one of ${files.length} files.`;
    const elapsed = sinceNow();
    const restored = await sandbox.rehearse(sandbox.founder, path === undefined ? {} : { path });
    return { times: { recoverMs: elapsed() }, criteria: [], restored };
  };
}

/** Bugs are not told as failed drills. */
function failureOf(error: unknown, timed: AbortSignal, timeMaxMs: number): HoldfastError {
  if (timed.aborted) {
    return new HoldfastError('timeout', `given up after ${timeMaxMs / 60_000} min (--max-time)`, {
      cause: error,
    });
  }
  if (error instanceof HoldfastError) return error;
  throw error;
}
