import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { DrillEntry } from '../../agent/drill-types.ts';
import { version } from '../../agent/version.ts';
import { dayMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { durationArgument } from '../arguments.ts';
import type { DrillEvidence, ProvenDrills } from '../backend.ts';
import { evidenceIn, evidenceText } from '../drill-evidence.ts';
import { pageOf } from '../drill-page.ts';
import { againstTarget, outcomeWords, reportLines, subjectOf, took } from '../drill-words.ts';
import { message } from '../json-fields.ts';
import type { Cell } from '../table.ts';
import { clean, counted, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

/** drill list, show, report, verify. */
export function addDrillReports(drill: Command, register: Register): void {
  const listCommand = drill.command('list').description('List the drills of all members.');
  register(listCommand, (context) => list(context));
  const showCommand = drill
    .command('show')
    .description('Show one report.')
    .argument('<id>', 'the id of a report, or its beginning');
  register(showCommand, (context, { args }) => show(context, args[0] ?? ''));
  const reportCommand = drill
    .command('report')
    .description('Write evidence for an auditor: signed reports, which anybody can verify.')
    .option('--since <span>', 'drills of this span of time', durationArgument, 90 * dayMs)
    .addOption(new Option('--format <format>').choices(['json', 'html']).default('html'))
    .option('-o, --out <file>', 'a file, instead of standard output');
  register<ReportFlags>(reportCommand, (context, { options }) => report(context, options));
  const verifyCommand = drill
    .command('verify')
    .description('Check evidence: every signature, without a network. 23: it was tampered with.')
    .argument('<file>', 'what drill report has written')
    .option('--cluster-id <id>', 'must be of this cluster');
  register<VerifyFlags>(verifyCommand, (context, { args, options }) =>
    verify(context, args[0] ?? '', options),
  );
}

type ReportFlags = { since: number; format: 'json' | 'html'; out?: string };
type VerifyFlags = { clusterId?: string };

async function list({ backend, stateDir, output, stateFlag }: CliContext): Promise<void> {
  const drills = await backend.control(stateDir).drills();
  if (output.isJson) {
    for (const drill of drills) await output.json(message('drill', drill));
    return;
  }
  if (drills.length === 0) {
    await output.print(
      'No restore was ever rehearsed.',
      `next: holdfast drill run dataset DATASET --kit FILE${stateFlag}`,
    );
    return;
  }
  await output.table(
    [
      { title: 'REPORT' },
      { title: 'TIME' },
      { title: 'DRILL' },
      { title: 'BY' },
      { title: 'RESULT' },
      { title: 'RTO', align: 'right' },
      { title: 'RPO', align: 'right' },
      { title: 'ANCHORED' },
    ],
    drills.toReversed().map(row),
  );
}

function row({ id, report, agent, isAnchored }: DrillEntry): Cell[] {
  const { outcome, times, isRtoReckoned, endedMs } = report;
  const style = { passed: 'green', missed: 'yellow', failed: 'red' } as const;
  return [
    id.slice(0, 8),
    formatTime(endedMs),
    subjectOf(report),
    agent,
    { text: outcomeWords(outcome), style: style[outcome] },
    `${isRtoReckoned ? '~' : ''}${took(times.rtoMs)}`,
    took(times.rpoMs),
    isAnchored ? 'yes' : 'not yet',
  ];
}

async function show(context: CliContext, prefix: string): Promise<void> {
  const { backend, stateDir, output, stateFlag } = context;
  const drills = await backend.control(stateDir).drills();
  const found = drills.filter(({ id }) => prefix.length >= 4 && id.startsWith(prefix));
  const [only] = found;
  if (only === undefined || found.length > 1) {
    const code = found.length > 1 ? 'ambiguous' : 'not-found';
    throw new HoldfastError(code, `${found.length} drill reports begin with ${prefix}`, {
      next: `holdfast drill list${stateFlag}`,
    });
  }
  if (output.isJson) return output.json(message('drill', only));
  const anchored = only.isAnchored ? 'anchored in the control log' : 'not anchored yet';
  const { agent, id, report } = only;
  await output.print(
    ...reportLines(report),
    `  ended       ${formatTime(report.endedMs)}, policy version ${report.policyVersion}`,
    `  isolation   ${clean(report.isolation)}`,
    `  report      ${id}`,
    `  signed by   ${clean(agent)}; ${anchored}`,
  );
}

async function report(context: CliContext, flags: ReportFlags): Promise<void> {
  const { backend, stateDir, output, nowMs, cwd } = context;
  const agent = backend.control(stateDir);
  const [{ genesis, statements }, drills] = await Promise.all([
    agent.drillEvidence(),
    agent.drills(),
  ]);
  const evidence: DrillEvidence = {
    format: 'holdfast-drills-1',
    version,
    createdMs: Math.round(nowMs()),
    sinceMs: Math.round(nowMs() - flags.since),
    genesis,
    statements,
    anchored: anchoredIn(drills),
  };
  const proven = await backend.proveDrills(evidence);
  const text = flags.format === 'json' ? evidenceText(evidence, proven) : pageOf(evidence, proven);
  if (flags.out === undefined) return output.bytes(new TextEncoder().encode(text));
  const file = resolve(cwd, flags.out);
  await writeFile(file, text).catch((cause: unknown) => {
    throw new HoldfastError('io-error', `cannot write ${file}: ${(cause as Error).message}`, {
      cause,
    });
  });
  const shown = proven.drills.filter(({ report: one }) => one.endedMs >= evidence.sinceMs);
  const line = { file, drills: shown.length, cluster: proven.cluster.id };
  if (output.isJson) await output.json(message('summary', line));
  else {
    await output.print(
      `${counted(shown.length, 'drill')} in ${clean(file)}`,
      `  anybody can check it: holdfast drill verify ${clean(flags.out)} --cluster-id ${proven.cluster.id}`,
    );
  }
}

function anchoredIn(drills: readonly DrillEntry[]): DrillEvidence['anchored'] {
  const newest = new Map<string, number>();
  for (const { isAnchored, sequence, report: one } of drills) {
    const { key } = one.agent;
    if (isAnchored) newest.set(key, Math.max(sequence, newest.get(key) ?? 0));
  }
  return [...newest].map(([agent, sequence]) => ({ agent, sequence }));
}

async function verify(context: CliContext, name: string, flags: VerifyFlags): Promise<void> {
  const { backend, output, cwd } = context;
  const text = await readFile(resolve(cwd, name), 'utf8').catch((cause: unknown) => {
    throw new HoldfastError('not-found', `cannot read ${name}: ${(cause as Error).message}`, {
      cause,
      next: 'holdfast drill report --format json --out FILE',
    });
  });
  const evidence = evidenceIn(text);
  const proven = await backend.proveDrills(evidence);
  requireSameWords(text, evidence, proven);
  const { cluster, drills } = proven;
  const wanted = flags.clusterId ?? (await ownCluster(context));
  if (wanted !== undefined && wanted !== cluster.id) {
    const what = `the evidence is of cluster ${cluster.id}, not of ${wanted}`;
    throw new HoldfastError('bad-signature', what, { next: 'ask for that of the right cluster' });
  }
  if (output.isJson) {
    for (const drill of drills) await output.json(message('drill', drill));
    await output.json(message('summary', { cluster, drills: drills.length, isProven: true }));
    return;
  }
  await output.print(
    `Every signature holds: ${counted(drills.length, 'drill report')} of cluster ${clean(cluster.name)}, none left out in between.`,
  );
  for (const { id, agent, report: one } of drills) {
    const { rtoMs } = one.times;
    const rto = againstTarget(rtoMs, one.objectives.rtoMs, one.isRtoReckoned);
    await output.print(
      `  ${id.slice(0, 8)}  ${formatTime(one.endedMs)}  ${clean(subjectOf(one))}: ${outcomeWords(one.outcome)}; RTO ${rto}; signed by ${clean(agent.name)} (${agent.key.slice(0, 8)})`,
    );
  }
  const compare = `compare it with what you know of the cluster: its recovery kit names it`;
  await output.print(
    `  cluster id ${cluster.id}: ${wanted === undefined ? compare : 'as expected'}`,
  );
}

/** What people read must be what was signed, to the letter. */
function requireSameWords(text: string, evidence: DrillEvidence, proven: ProvenDrills): void {
  const isPage = !text.startsWith('{');
  const again = isPage ? pageOf(evidence, proven) : evidenceText(evidence, proven);
  if (again === text) return;
  if (evidence.version !== version) {
    throw new HoldfastError(
      'bad-encoding',
      `the signatures hold, but version ${evidence.version} has written the words around them, and this is ${version}`,
      { next: `verify it with version ${evidence.version}` },
    );
  }
  throw new HoldfastError(
    'bad-signature',
    `the signatures hold, but the ${isPage ? 'page' : 'file'} says something else than what was signed`,
    { next: 'ask for it again: holdfast drill report --out FILE' },
  );
}

/** Undefined: no agent runs here. */
async function ownCluster({ backend, stateDir }: CliContext): Promise<string | undefined> {
  try {
    return (await backend.control(stateDir).identity()).clusterId;
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}
