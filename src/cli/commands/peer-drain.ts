import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { DrainReport } from '../../agent/upkeep-types.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { DrainTarget } from '../../core/format/control-records.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import { startProgress } from '../start-progress.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type DrainFlags = OperatorFlags & { cancel?: true; detach?: true };
type Target = {
  readonly name: string;
  readonly kind: DrainReport['kind'];
  readonly target: DrainTarget;
};

const pollMs = secondMs;
/** After the entry the others need a moment to see that nothing more is missing. */
const calmPolls = 2;

/** peer drain. */
export function addPeerDrain(peer: Command, register: Register): void {
  const command = peer
    .command('drain')
    .description('Have others take over all that a host or a site holds. An operator signs it.')
    .argument('<name>', 'a host, or a site: all of its hosts')
    .option('--cancel', 'let it stay after all')
    .option('--detach', 'do not wait until nothing depends on it');
  register<DrainFlags>(operatorOptions(command), async (context, { args, options }) => {
    const target = await targetOf(context, args[0] ?? '');
    if (options.cancel === true) return cancel(context, options, target);
    await begin(context, options, target);
    if (options.detach !== true) await follow(context, target);
  });
}

/** A host of that name goes before a site. @throws HoldfastError not-found */
async function targetOf(
  { backend, stateDir, stateFlag }: CliContext,
  name: string,
): Promise<Target> {
  const peers = await backend.control(stateDir).peers();
  const host = peers.find((one) => one.name === name);
  if (host !== undefined) {
    return { name, kind: 'host', target: { agent: host.agentKey as AgentKey } };
  }
  if (peers.some(({ site }) => site === name))
    return { name, kind: 'site', target: { site: name } };
  throw new HoldfastError('not-found', `there is no host and no site ${JSON.stringify(name)}`, {
    next: `holdfast peer list${stateFlag}`,
  });
}

async function begin(context: CliContext, flags: DrainFlags, target: Target): Promise<void> {
  const drains = await context.backend.control(context.stateDir).drains();
  if (drains.some((one) => one.name === target.name && one.kind === target.kind)) return;
  const body = { kind: 'drain', target: target.target, isOver: false } as const;
  const report = await submitAsOperator(context, flags, body);
  await printApplied(context, report, { name: target.name });
  if (context.output.isJson) return;
  await context.output.print(
    `${clean(target.name)} gets nothing more, and others take over what it holds, from entry ${report.index} on.`,
  );
}

async function cancel(context: CliContext, flags: DrainFlags, target: Target): Promise<void> {
  const body = { kind: 'drain', target: target.target, isOver: true } as const;
  const report = await submitAsOperator(context, flags, body);
  await printApplied(context, report, { name: target.name });
  if (context.output.isJson) return;
  await context.output.print(`${clean(target.name)} stays, from entry ${report.index} on.`);
}

/** Interrupting ends the showing, not the drain. */
async function follow(context: CliContext, { name, kind }: Target): Promise<void> {
  const { output, stateFlag, signal } = context;
  const agent = context.backend.control(context.stateDir);
  const progress = startProgress(context);
  let calm = 0;
  let report: DrainReport | undefined;
  while (calm < calmPolls) {
    report = (await agent.drains()).find((one) => one.name === name && one.kind === kind);
    if (report === undefined) throw new HoldfastError('not-found', `${name} was let stay`);
    calm = report.waiting + report.unsigned + report.underWay === 0 ? calm + 1 : 0;
    const done = report.packs - report.waiting;
    await progress.update({
      unit: 'packs',
      done,
      total: report.packs,
      current: stillToCome(report),
      json: {
        packs_done: done,
        total_packs: report.packs,
        undelivered_packs: report.undelivered,
        unsigned_snapshots: report.unsigned,
        backups_under_way: report.underWay,
      },
    });
    if (calm < calmPolls) await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) {
      throw new HoldfastError('interrupted', 'interrupted; the drain goes on', {
        next: `holdfast peer drain ${name}${stateFlag}`,
      });
    }
  }
  await progress.end();
  if (output.isJson) return output.json(message('summary', report ?? {}));
  const hosts = report?.hosts ?? [];
  await output.print(
    `Nothing depends on ${clean(name)} any more: what it still holds of ${counted(report?.packs ?? 0, 'pack')} is elsewhere too.`,
  );
  for (const source of report?.unasked ?? []) {
    await output.remark(
      `${clean(source)} cannot be asked now: a backup that it was cut off in may begin again when it is back`,
    );
  }
  for (const host of hosts) {
    await output.remark(`next: holdfast peer remove ${host} --reason TEXT${stateFlag}`);
  }
}

function stillToCome({ undelivered, underWay }: DrainReport): string {
  if (undelivered > 0) return `${counted(undelivered, 'pack')} of its own not delivered yet`;
  return underWay > 0 ? `waiting for ${counted(underWay, 'backup')} under way` : '';
}
