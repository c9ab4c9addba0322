import { type Command, InvalidArgumentError, Option } from 'commander';
import { minuteMs } from '../../base/units.ts';
import { type DrillKind, drillKinds } from '../../core/policy/drill-report.ts';
import type { Register } from '../action.ts';
import { durationArgument, repeated, sizeArgument } from '../arguments.ts';
import type { RunFlags } from '../drill-flags.ts';
import { checkArgument } from '../probe-argument.ts';
import { hookOption, recoveryOptions } from '../recovery.ts';
import { addDrillReports } from './drill-report.ts';
import { excludesGrant } from './drill-granted.ts';
import { drillLive, isLive } from './drill-live.ts';
import { drillInSandbox } from './drill-sandbox.ts';
import { addDrillSchedule } from './drill-schedule.ts';

/** drill run, list, show, report, verify. */
export function addDrill(program: Command, register: Register): void {
  const drill = program
    .command('drill')
    .description('Rehearse restores, measure them, and show the results.');
  const run = drill
    .command('run')
    .description(
      'Rehearse: dataset, file, site-loss and key-loss restore what is backed up into a staging area; ransomware, partition and slow-network make the fault in a sandbox of made-up data.',
    )
    .argument('<scenario>', drillKinds.join(', '), scenarioArgument)
    .argument('<dataset>', 'DATASET, or DATASET:PATH for a file or directory of it')
    .option('--sandbox', 'in a cluster of its own on this machine, with made-up data')
    .option(
      '--without <site>',
      "of site-loss: the site counts as lost (default: the source's); repeatable",
      repeated,
    )
    .option('--snapshot <id>', 'another snapshot than the newest', 'latest')
    .option('--sample <size>', 'restore a random part of about this size', sizeArgument)
    .option('--staging <dir>', 'stage below this directory (default: in the state directory)')
    .option(
      '--max-size <size>',
      'never stage more than this (default: 1 TiB; of made-up data 48 MiB)',
      sizeArgument,
    )
    .addOption(
      new Option('--max-time <span>', 'a sandbox is given up after this')
        .argParser(durationArgument)
        .default(15 * minuteMs, '15m'),
    )
    .option(
      '--check <probe>',
      'must be well of what was restored: URL, tcp:HOST:PORT, sha256:HEX:/PATH in the snapshot, or /PROGRAM {staging}; repeatable',
      checkArgument,
    )
    .option('--allow-hooks', 'run commands among the checks')
    .option('--compare <path>', 'compare with these live files, too')
    .option('--keep', 'leave the restored files there')
    .option('--no-record', 'do not sign the report into the cluster')
    .option('--grant', 'let the agent drill with its own key, in the place of a kit: drill key');
  register<RunFlags>(hookOption(recoveryOptions(run)), (context, { args, options }) => {
    const [scenario, of = ''] = args as [DrillKind, string?];
    if (options.sandbox !== true && isLive(scenario)) {
      return drillLive(context, { kind: scenario, of }, options);
    }
    if (options.grant === true) throw excludesGrant('a sandbox');
    return drillInSandbox(context, { scenario, of }, options);
  });
  addDrillReports(drill, register);
  addDrillSchedule(drill, register);
}

function scenarioArgument(value: string): string {
  if (drillKinds.some((known) => known === value)) return value;
  throw new InvalidArgumentError(`Give one of ${drillKinds.join(', ')}.`);
}
