import type { DrillRunEvent } from '../agent/drill-types.ts';
import { HoldfastError } from '../core/errors.ts';
import { type DrillReport, encodeDrillReport } from '../core/policy/drill-report.ts';
import { reportLines } from './drill-words.ts';
import { message } from './json-fields.ts';
import { startProgress } from './start-progress.ts';
import { clean } from './terminal-text.ts';
import type { CliContext } from './world.ts';

/** Shows a drill while it runs. @returns its report, which is not recorded yet */
export async function followDrill(
  context: CliContext,
  events: AsyncIterable<DrillRunEvent>,
): Promise<DrillReport> {
  const { output } = context;
  const progress = startProgress(context);
  let last: Extract<DrillRunEvent, { type: 'report' }> | undefined;
  // Not left at once when interrupted: the signal ends it, and the staging area is emptied first.
  for await (const event of events) {
    if (event.type === 'report') last = event;
    else if (event.type === 'status') await progress.update(sampleOf(event));
    else if (event.type === 'problem') await problem(context, event);
    else if (event.type === 'notice') await notice(context, event.message);
    else if (event.type === 'step') await step(context, event.text);
  }
  await progress.end();
  context.signal.throwIfAborted();
  if (last === undefined) throw new HoldfastError('failed', 'the drill ended without a report');
  if (last.isKept) await output.remark(`the restored files are kept: ${last.staged}`);
  return last.report;
}

function sampleOf(event: Extract<DrillRunEvent, { type: 'status' }>) {
  const { phase, filesDone, filesTotal, bytesDone, bytesTotal, current } = event;
  return {
    unit: 'bytes' as const,
    ...{ done: bytesDone, total: bytesTotal },
    files: { done: filesDone, total: filesTotal },
    current: `${phase} ${current}`,
    json: { phase, files_done: filesDone, bytes_done: bytesDone, bytes_total: bytesTotal },
  };
}

async function problem(
  { output }: CliContext,
  { path, reason, isLost }: Extract<DrillRunEvent, { type: 'problem' }>,
): Promise<void> {
  if (output.isJson) {
    const error = { message: reason };
    const line = { message_type: 'error', error, during: 'drill', item: path, is_lost: isLost };
    await output.complainJson(line);
    return;
  }
  const lost = isLost ? `${output.style('LOST', 'red')} ` : '';
  await output.complain(`${lost}${clean(path)}: ${clean(reason)}`);
}

async function notice({ output }: CliContext, text: string): Promise<void> {
  if (output.isJson) await output.json({ message_type: 'notice', text });
  else await output.remark(text);
}

async function step({ output }: CliContext, text: string): Promise<void> {
  if (output.isJson) await output.json(message('step', { text }));
  else await output.print(clean(text));
}

/** Has the agent sign it where there is one, shows it, and fails when the drill did. */
export async function endDrill(
  context: CliContext,
  report: DrillReport,
  { hasAgent, isWanted }: { hasAgent: boolean; isWanted: boolean },
): Promise<void> {
  const id = hasAgent && isWanted ? await record(context, report) : undefined;
  await show(context, report, id);
  if (id === undefined) {
    await context.output.remark(
      hasAgent
        ? 'the report was not recorded'
        : 'the report is signed by nobody: no agent of the cluster runs here',
    );
  }
  refuseBad(context, report, id);
}

/** Shows a report that is signed already, and fails when the drill did. */
export async function tellDrill(
  context: CliContext,
  report: DrillReport,
  id: string | undefined,
): Promise<void> {
  await show(context, report, id);
  refuseBad(context, report, id);
}

async function record(context: CliContext, report: DrillReport): Promise<string> {
  const text = new TextDecoder().decode(encodeDrillReport(report));
  const { id } = await context.backend.control(context.stateDir).recordDrill({ report: text });
  return id;
}

async function show(
  { output, stateFlag }: CliContext,
  report: DrillReport,
  id: string | undefined,
): Promise<void> {
  if (output.isJson) {
    await output.json(message('summary', { ...(id === undefined ? {} : { id }), report }));
    return;
  }
  await output.print(...reportLines(report));
  if (id === undefined) return;
  const next = `holdfast drill show ${id.slice(0, 8)}${stateFlag}`;
  await output.print(
    `  report      ${id.slice(0, 8)}, signed by ${clean(report.agent.name)}: ${next}`,
  );
}

function refuseBad({ stateFlag }: CliContext, report: DrillReport, id: string | undefined): void {
  if (report.outcome === 'passed') return;
  const why = report.criteria
    .filter(({ isMet }) => !isMet)
    .map(({ name, detail }) => `${name}: ${detail}`);
  const code = report.outcome === 'failed' ? 'drill-failed' : 'objective-missed';
  const what = report.outcome === 'failed' ? 'the drill has failed' : 'an objective was missed';
  throw new HoldfastError(code, clean(`${what}: ${why.join('; ')}`), {
    next: `holdfast ${report.outcome === 'failed' ? 'check --read-data' : 'status'}${stateFlag}`,
    ...(id === undefined ? {} : { details: { report: id } }),
  });
}
