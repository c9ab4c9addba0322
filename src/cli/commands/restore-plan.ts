import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { PlanDraft, PlanEstimate, PlanProposal } from '../../agent/plan-types.ts';
import { stepInWords } from '../../agent/plan-words.ts';
import { formatSize, formatSpan } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Probe } from '../../core/policy/restore-plan.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { checkArgument } from '../probe-argument.ts';
import { shellWord } from '../shell-word.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { keepPlan, readPlanFile } from './restore-plan-file.ts';
import { addPlanRun } from './restore-plan-run.ts';
import { addPlanStatus } from './restore-plan-status.ts';
import { stepTree } from './restore-plan-tree.ts';

type PlanFlags = {
  to?: string;
  dir?: string;
  check?: Probe[];
  /** False with --no-promote. */
  promote: boolean;
  output?: string;
};

/** restore plan, run, status, resume, cancel, rollback. */
export function addRestorePlans(restore: Command, register: Register): void {
  const planCommand = restore
    .command('plan')
    .description(
      'Make a restore plan: of a file that describes it, or of datasets. Changes nothing.',
    )
    .argument('<what...>', 'names of datasets, or one JSON file')
    .option('--to <site>', 'where they shall come back')
    .option('--dir <dir>', 'each dataset gets a directory below it (default: /srv/restored)')
    .option(
      '--check <probe>',
      'must be well before anything is promoted: URL, tcp:HOST:PORT, sha256:HEX:FILE, or an absolute path of a program with arguments; repeatable',
      checkArgument,
    )
    .option('--no-promote', 'restore only: no copy becomes the live one')
    .option('-o, --output <file>', 'write the plan to this new file, for restore run');
  register<PlanFlags>(planCommand, (context, { args, options }) => plan(context, args, options));
  addPlanRun(restore, register);
  addPlanStatus(restore, register);
}

async function plan(context: CliContext, args: readonly string[], flags: PlanFlags): Promise<void> {
  const [first = ''] = args;
  const isOfFile = args.length === 1 && (await isFile(resolve(context.cwd, first)));
  const draft = await draftOf(context, { args, isOfFile, flags });
  const proposal = await context.backend
    .control(context.stateDir)
    .resolvePlan({ draft })
    .catch((error: unknown) => {
      throw isOfFile ? inFile(first, error) : error;
    });
  const file = flags.output === undefined ? undefined : resolve(context.cwd, flags.output);
  if (file !== undefined) await keepPlan(file, proposal);
  await print(context, proposal, flags.output);
}

async function draftOf(
  context: CliContext,
  what: { readonly args: readonly string[]; readonly isOfFile: boolean; readonly flags: PlanFlags },
): Promise<PlanDraft> {
  const { args, isOfFile, flags } = what;
  const { to, dir, check, promote } = flags;
  const [first = ''] = args;
  const choices = {
    ...(dir === undefined ? {} : { dir: resolve(context.cwd, dir) }),
    ...(check === undefined ? {} : { checks: check }),
    ...(promote ? {} : { promote }),
  };
  if (isOfFile) {
    const draft = await readDraft(resolve(context.cwd, first));
    if (draft.steps !== undefined && Object.keys(choices).length > 0) {
      throw new HoldfastError(
        'usage',
        `${first} names its steps: --dir, --check and --no-promote have no place there`,
      );
    }
    return { ...draft, ...choices, ...(to === undefined ? {} : { target: { site: to } }) };
  }
  if (to === undefined) {
    throw new HoldfastError('usage', "required option '--to <site>' not specified", {
      next: `holdfast restore plan ${args.map(shellWord).join(' ')} --to SITE${context.stateFlag}`,
    });
  }
  return { target: { site: to }, datasets: [...args], ...choices };
}

/** What the agent finds wrong with a plan that a file describes. */
function inFile(file: string, error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'usage') return error;
  return new HoldfastError('usage', `${file}: ${error.message}`, {
    next: error.next ?? 'mend the file (docs/control.md shows one), then the same command again',
    details: error.details,
    cause: error,
  });
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

/** What is wrong in it, the agent says: it knows the form. */
async function readDraft(path: string): Promise<PlanDraft> {
  const text = await readPlanFile(path);
  try {
    return JSON.parse(text) as PlanDraft;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('usage', `${path} is not JSON: ${reason}`, { cause });
  }
}

async function print(
  context: CliContext,
  proposal: PlanProposal,
  file: string | undefined,
): Promise<void> {
  const { output, stateFlag } = context;
  const { hash, plan: document, estimate, notices } = proposal;
  if (output.isJson) {
    const { text: _, plan: __, ...facts } = proposal;
    return output.json({ ...message('restore_plan', facts), plan: document });
  }
  const failure =
    document.onFailure === 'escalate' ? 'stop and ask' : 'undo what was done, last first';
  await output.print(
    `Plan ${clean(document.name)} for site ${clean(document.target.site)}; when a step fails for good: ${failure}.`,
    '',
  );
  await printDatasets(context, estimate);
  await output.print('', 'Steps, each under the last one that it waits for:', '');
  await output.table(
    [
      { title: 'STEP' },
      { title: 'WHAT' },
      { title: 'AT' },
      { title: 'TRIES' },
      { title: 'EACH AT MOST' },
      { title: 'WAITS ALSO FOR' },
    ],
    stepTree(document.steps).map(({ branch, step, alsoAfter }) => [
      branch + step.id,
      stepInWords(step),
      step.on ?? document.target.site,
      String(step.attempts),
      formatSpan(step.timeoutMs),
      alsoAfter.length === 0 ? '-' : alsoAfter.join(', '),
    ]),
  );
  await output.print('', ...estimateLines(estimate), `Hash: ${hash}`);
  for (const notice of notices)
    await output.print(`${output.style('!', 'yellow')} ${clean(notice)}`);
  const next =
    file === undefined
      ? 'Nothing has changed. To keep the plan, add: -o FILE'
      : `Nothing has changed. To carry it out: holdfast restore run ${shellWord(file)} --kit KITFILE${stateFlag}`;
  await output.print('', next);
}

async function printDatasets({ output }: CliContext, { datasets }: PlanEstimate): Promise<void> {
  await output.table(
    [
      { title: 'DATASET' },
      { title: 'SNAPSHOT' },
      { title: 'STATE' },
      { title: 'AGE' },
      { title: 'SIZE', align: 'right' },
      { title: 'FETCH AT MOST', align: 'right' },
      { title: 'FROM SITES' },
    ],
    datasets.map(({ name, snapshot, known }) => {
      if (known === undefined) return [name, snapshot.slice(0, 8), 'unknown', '?', '?', '?', '?'];
      const { state, isAnchored, ageMs, bytes, fetchBytes, sites, isRestorableNow } = known;
      return [
        name,
        snapshot.slice(0, 8),
        isAnchored ? 'anchored' : state,
        formatSpan(ageMs),
        formatSize(bytes),
        formatSize(fetchBytes),
        isRestorableNow
          ? sites.join(', ')
          : { text: 'too few are reachable', style: 'red' as const },
      ];
    }),
  );
}

function estimateLines({ bytes, fetchBytes, sites, measured }: PlanEstimate): string[] {
  const what = `writes ${formatSize(bytes)}, fetches at most ${formatSize(fetchBytes)} from ${counted(sites.length, 'site')}`;
  const time =
    measured === undefined
      ? 'how long it takes is unknown: no plan has restored enough yet to measure it'
      : `about ${formatSpan(measured.durationMs)} at ${formatSize(Math.round(measured.bytesPerSecond))}/s, as last measured`;
  return [`Estimate: ${what}; ${time}.`];
}
