import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { RecoverySession } from '../../agent/api.ts';
import type { DrillRequest, DrillRunEvent, DrillTerms } from '../../agent/drill-types.ts';
import { GiB } from '../../base/units.ts';
import { type ErrorCode, HoldfastError } from '../../core/errors.ts';
import { type DrillReport, encodeDrillReport } from '../../core/policy/drill-report.ts';
import type { Probe } from '../../core/policy/restore-plan.ts';
import type { Register } from '../action.ts';
import { sizeArgument } from '../arguments.ts';
import { reportLines } from '../drill-words.ts';
import { message } from '../json-fields.ts';
import { checkArgument } from '../probe-argument.ts';
import {
  hookOption,
  openSession,
  type RecoveryFlags,
  recoveryOptions,
  resolveSnapshot,
} from '../recovery.ts';
import { shellWord } from '../shell-word.ts';
import { startProgress } from '../start-progress.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { addDrillReports } from './drill-report.ts';

type RunFlags = RecoveryFlags & {
  snapshot: string;
  sample?: number;
  staging?: string;
  maxSize: number;
  check?: Probe[];
  allowHooks?: true;
  compare?: string;
  keep?: true;
  record: boolean;
};

/** drill run, list, show, report, verify. */
export function addDrill(program: Command, register: Register): void {
  const drill = program
    .command('drill')
    .description('Rehearse restores, measure them, and show the results.');
  const run = drill
    .command('run')
    .description('Restore into a staging area, read back, compare every digest, and measure.')
    .argument('<scenario>', 'dataset, or file', scenarioArgument)
    .argument('<dataset>', 'DATASET, or DATASET:PATH for a file or directory of it')
    .option('--snapshot <id>', 'another snapshot than the newest', 'latest')
    .option('--sample <size>', 'restore a random part of about this size', sizeArgument)
    .option('--staging <dir>', 'stage below this directory (default: in the state directory)')
    .option('--max-size <size>', 'never stage more than this', sizeArgument, 1024 * GiB)
    .option(
      '--check <probe>',
      'must be well of what was restored: URL, tcp:HOST:PORT, sha256:HEX:/PATH in the snapshot, or /PROGRAM {staging}; repeatable',
      checkArgument,
    )
    .option('--allow-hooks', 'run commands among the checks')
    .option('--compare <path>', 'compare with these live files, too')
    .option('--keep', 'leave the restored files there')
    .option('--no-record', 'do not sign the report into the cluster');
  register<RunFlags>(hookOption(recoveryOptions(run)), (context, { args, options }) =>
    runDrill(context, { scenario: args[0] ?? '', of: args[1] ?? '' }, options),
  );
  addDrillReports(drill, register);
}

const scenarios = ['dataset', 'file'] as const;

function scenarioArgument(value: string): string {
  if (scenarios.some((known) => known === value)) return value;
  throw new InvalidArgumentError(`Give one of ${scenarios.join(', ')}.`);
}

/** Names of datasets may hold a colon, paths begin with a slash. */
function splitSubject(text: string): { dataset: string; path: string } {
  const at = text.indexOf(':/');
  if (at === -1) return { dataset: text, path: '/' };
  return { dataset: text.slice(0, at), path: text.slice(at + 1) };
}

async function runDrill(
  context: CliContext,
  { scenario, of }: { scenario: string; of: string },
  flags: RunFlags,
): Promise<void> {
  const { dataset, path } = splitSubject(of);
  const kind = scenario === 'file' ? 'file' : 'dataset';
  if (kind === 'file' && path === '/') {
    throw new HoldfastError('usage', 'a file drill names a path in the dataset', {
      next: `holdfast drill run file ${shellWord(`${of}:/PATH`)} --kit FILE`,
    });
  }
  const agentTerms = await termsOf(context, dataset);
  await using session = await openSession(context, flags);
  const terms = agentTerms ?? unsignedTerms(session);
  const snapshot = await resolveSnapshot(session, { snapshot: flags.snapshot, dataset });
  const request = requestOf(context, { kind, snapshot, path, terms, flags });
  const report = await follow(context, session, request);
  const isSigned = flags.record && agentTerms !== undefined;
  const id = isSigned ? await record(context, report) : undefined;
  await show(context, report, id);
  if (!isSigned) {
    await context.output.remark(
      agentTerms === undefined
        ? 'the report is signed by nobody: no agent of the cluster runs here'
        : 'the report was not recorded',
    );
  }
  refuseBad(context, report, id);
}

function requestOf(
  context: CliContext,
  parts: Pick<DrillRequest, 'kind' | 'snapshot' | 'path' | 'terms'> & { flags: RunFlags },
): DrillRequest {
  const { flags, ...rest } = parts;
  const { cwd, stateDir } = context;
  const { sample, compare, staging, check = [] } = flags;
  // Those of the policy are about the whole: of a part, what they ask for may not be there.
  const isWhole = sample === undefined && rest.kind === 'dataset' && rest.path === '/';
  return {
    ...rest,
    ...(sample === undefined ? {} : { sampleBytes: sample }),
    stagingDir: staging === undefined ? resolve(stateDir, 'staging') : resolve(cwd, staging),
    bytesMax: flags.maxSize,
    checks: [...(isWhole ? rest.terms.checks : []), ...check],
    runsCommands: flags.allowHooks === true,
    keeps: flags.keep === true,
    ...(compare === undefined ? {} : { compareWith: resolve(cwd, compare) }),
  };
}

// Whoever restores on a blank machine has no agent, and may rehearse all the same.
const noAgent: readonly ErrorCode[] = ['agent-not-running', 'no-cluster', 'agent-unreachable'];

async function termsOf(context: CliContext, dataset: string): Promise<DrillTerms | undefined> {
  try {
    return await context.backend.control(context.stateDir).drillTerms({ dataset });
  } catch (error) {
    if (error instanceof HoldfastError && noAgent.includes(error.code)) return undefined;
    throw error;
  }
}

function unsignedTerms({ cluster }: RecoverySession): DrillTerms {
  return {
    cluster,
    agent: { name: '', site: '', key: '' },
    policyVersion: 0,
    objectives: {},
    approvals: { needed: 0, by: [] },
    checks: [],
  };
}

async function follow(
  context: CliContext,
  session: RecoverySession,
  request: DrillRequest,
): Promise<DrillReport> {
  const { output } = context;
  const progress = startProgress(context);
  let last: Extract<DrillRunEvent, { type: 'report' }> | undefined;
  // Not left at once when interrupted: the signal ends it, and the staging area is emptied first.
  for await (const event of session.drill(request)) {
    if (event.type === 'report') last = event;
    else if (event.type === 'status') await progress.update(sampleOf(event));
    else if (event.type === 'problem') await problem(context, event);
    else if (event.type === 'notice') await notice(context, event.message);
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
