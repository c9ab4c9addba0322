import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { AgentApi } from '../../agent/api.ts';
import type { PlanProposal, PlanReport } from '../../agent/plan-types.ts';
import { utf8 } from '../../base/bytes.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import type { PlanHash } from '../../core/format/control-records.ts';
import type { Register } from '../action.ts';
import type { PlanKeys } from '../backend.ts';
import { message } from '../json-fields.ts';
import {
  type OperatorFlags,
  operatorKeyFiles,
  operatorOptions,
  submitAsOperator,
} from '../operator.ts';
import { type RecoveryFlags, recoveryOf, recoveryOptions } from '../recovery.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { readPlanFile } from './restore-plan-file.ts';
import { followPlan } from './restore-plan-follow.ts';

type RunFlags = RecoveryFlags &
  OperatorFlags & {
    /** False with --no-follow. */
    follow: boolean;
  };

/** restore run. */
export function addPlanRun(restore: Command, register: Register): void {
  const command = restore
    .command('run')
    .description('Carry a restore plan out. Operators sign it; the kit opens what it restores.')
    .argument('<planfile>', 'as restore plan -o has written it')
    .option('--no-follow', 'do not wait for its end');
  register<RunFlags>(
    operatorOptions(recoveryOptions(command)),
    (context, { args, options }) => run(context, args[0] ?? '', options),
    { stopsInOrder: true },
  );
}

async function run(context: CliContext, file: string, flags: RunFlags): Promise<void> {
  const { backend, cwd, output, stateDir } = context;
  const agent = backend.control(stateDir);
  const text = await readPlanFile(resolve(cwd, file));
  const proposal = await agent.readPlan({ text });
  for (const notice of proposal.notices) await output.remark(`! ${notice}`);
  const open = await openRunOf(agent, proposal);
  // Opened before the plan begins: its first step would wait for them.
  const keys = await openKeys(context, flags, proposal);
  const begun = open ?? (await begin(context, flags, proposal));
  const report = await agent.plan(proposal.hash);
  await announce(context, report, begun);
  if (keys !== undefined) await grant(context, flags, { keys, report });
  if (flags.follow) await followPlan(context, report);
}

async function openKeys(
  context: CliContext,
  flags: RunFlags,
  { plan, text }: PlanProposal,
): Promise<PlanKeys | undefined> {
  if (!plan.steps.some(({ kind }) => kind === 'restore')) return undefined;
  const recovery = await recoveryOf(context, flags);
  const { backend, stateDir } = context;
  return backend.openPlanKeys({ ...recovery, stateDir, text });
}

/** What an earlier call has begun is gone on with. @throws HoldfastError failed: it was done before */
async function openRunOf(
  agent: AgentApi,
  { hash, plan: { name } }: PlanProposal,
): Promise<'is under way' | undefined> {
  const report = await agent.plan(hash).catch((error: unknown) => {
    if (codeOf(error) !== 'not-found') throw error;
    return undefined;
  });
  if (report?.state === 'done') {
    const what = `plan ${name} (${hash.slice(0, 8)}) was done by run ${report.run}`;
    throw new HoldfastError('failed', `${what}: a plan is carried out once`, {
      next: 'make a new one: holdfast restore plan .. -o FILE',
    });
  }
  const isOver = report === undefined || ['failed', 'cancelled'].includes(report.state);
  return isOver ? undefined : 'is under way';
}

async function begin(
  context: CliContext,
  flags: RunFlags,
  { hash, text }: PlanProposal,
): Promise<'begins'> {
  const plan = utf8(text);
  await submitAsOperator(context, flags, { kind: 'plan', plan, hash: hash as PlanHash });
  return 'begins';
}

async function announce(
  { output }: CliContext,
  { hash, name, run: number, isHeld }: PlanReport,
  begun: string,
): Promise<void> {
  if (output.isJson) {
    return output.json(message('plan', { plan: hash, name, run: number, is_held: isHeld }));
  }
  const what = isHeld ? 'waits for the day when its site is lost' : begun;
  await output.print(`Plan ${clean(name)} (${hash.slice(0, 8)}), run ${number}, ${what}.`);
}

async function grant(
  context: CliContext,
  flags: RunFlags,
  { keys, report }: { readonly keys: PlanKeys; readonly report: PlanReport },
): Promise<void> {
  const { output, stateDir, stateFlag } = context;
  const { hash: plan, run: number } = report;
  const files = operatorKeyFiles(context, flags);
  const grants = await keys.grant({ stateDir, operatorKeyFiles: files, plan, run: number });
  for (const { agent, packs, problem } of grants) {
    if (output.isJson) await output.json(message('grant', { agent, packs, problem }));
    else if (problem !== undefined) {
      await output.remark(`! ${agent} has no keys: ${problem}`);
    } else await output.print(`${clean(agent)} may open ${counted(packs ?? 0, 'pack')}.`);
  }
  if (grants.some(({ problem }) => problem === undefined)) return;
  throw new HoldfastError(
    'peer-unreachable',
    'no agent that restores could be given keys: the plan waits for them',
    {
      next: `bring one up, then the same again; or give it up: holdfast restore cancel ${plan.slice(0, 8)}${stateFlag}`,
    },
  );
}
