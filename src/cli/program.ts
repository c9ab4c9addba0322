import { Command } from 'commander';
import type { Register } from './action.ts';
import { addAbout } from './commands/about.ts';
import { addAgent } from './commands/agent.ts';
import { addAlerts } from './commands/alerts.ts';
import { addApprove } from './commands/approve.ts';
import { addAudit } from './commands/audit.ts';
import { addBackup } from './commands/backup.ts';
import { addBrowse } from './commands/browse.ts';
import { addCheck } from './commands/check.ts';
import { addRepair } from './commands/repair.ts';
import { addScrub } from './commands/scrub.ts';
import { addTarget } from './commands/target.ts';
import { addCluster } from './commands/cluster.ts';
import { addConfig } from './commands/config.ts';
import { addCoordinator } from './commands/coordinator.ts';
import { addDashboard } from './commands/dashboard.ts';
import { addDataset } from './commands/dataset.ts';
import { addDemo } from './commands/demo.ts';
import { addInit } from './commands/init.ts';
import { addKey } from './commands/key.ts';
import { addDrill } from './commands/drill.ts';
import { addForget } from './commands/forget.ts';
import { addHold } from './commands/hold.ts';
import { addLayout } from './commands/layout.ts';
import { addLimit } from './commands/limit.ts';
import { addMetrics } from './commands/metrics.ts';
import { addNotify } from './commands/notify.ts';
import { addOperator } from './commands/operator.ts';
import { addPeer } from './commands/peer.ts';
import { addPolicy } from './commands/policy.ts';
import { addPrune } from './commands/prune.ts';
import { addRestore } from './commands/restore.ts';
import { addStats } from './commands/stats.ts';
import { addSnapshots } from './commands/snapshots.ts';
import { addStatus } from './commands/status.ts';
import { addValidate } from './commands/validate.ts';
import { addTripwire } from './commands/tripwire.ts';

/** Options that every command takes. */
export type GlobalOptions = {
  state?: string;
  config?: string;
  json?: true;
  quiet?: true;
  verbose?: true;
  color: boolean;
};

export type HelpOutput = {
  out: (text: string) => void;
  err: (text: string) => void;
  columns: number;
};

const exitCodes = `
Exit codes: 0 done, 1 failed, 2 usage, 3 partly done, 10 no cluster here, 11 state directory in use,
12 wrong or missing key, 20 no quorum, 21 too few shards, 22 below policy, 23 signature or tampering,
24 not permitted, or more must sign, 25 drill or objective missed, 26 unsafe target, 130 interrupted.
Environment: HOLDFAST_STATE_DIR, HOLDFAST_CONFIG, HOLDFAST_KIT_FILE, HOLDFAST_PROGRESS_INTERVAL, NO_COLOR.`;

/** The whole command line: every command with its options, bound to its handler. */
export function createProgram(register: Register, help: HelpOutput): Command {
  const program = new Command('holdfast')
    .description('Backups that your sites keep for each other.')
    .option('-s, --state <dir>', 'state directory (HOLDFAST_STATE_DIR)')
    .option('-c, --config <file>', 'configuration file (HOLDFAST_CONFIG)')
    .option('--json', 'print JSON, one object a line')
    .option('-q, --quiet', 'no progress, no remarks')
    .option('-v, --verbose', 'say more')
    .option('--no-color', 'no colours (NO_COLOR)')
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      // Those of the program alone: what `restore` takes is not for its subcommands.
      visibleGlobalOptions: (command) =>
        command.parent === null ? [] : [...rootOf(command).options],
    })
    .configureOutput({
      writeOut: help.out,
      writeErr: help.err,
      // Errors are reported like all others, once the options are known.
      outputError: () => undefined,
      getOutHelpWidth: () => help.columns,
      getErrHelpWidth: () => help.columns,
    })
    .addHelpText('after', exitCodes);
  program.commandsGroup('First steps:');
  addInit(program, register);
  addCluster(program, register);
  addAgent(program, register);
  addDemo(program, register);
  program.commandsGroup('Every day:');
  addStatus(program, register);
  addDashboard(program, register);
  addBackup(program, register);
  addSnapshots(program, register);
  addStats(program, register);
  addPeer(program, register);
  program.commandsGroup('Decisions of the cluster:');
  addCoordinator(program, register);
  addLayout(program, register);
  addDataset(program, register);
  addPolicy(program, register);
  addOperator(program, register);
  addApprove(program, register);
  addHold(program, register);
  addForget(program, register);
  addPrune(program, register);
  addTripwire(program, register);
  addDrill(program, register);
  addKey(program, register);
  addAudit(program, register);
  program.commandsGroup('With the recovery kit:');
  addRestore(program, register);
  addBrowse(program, register);
  program.commandsGroup('Care:');
  addCheck(program, register);
  addValidate(program, register);
  addRepair(program, register);
  addScrub(program, register);
  addLimit(program, register);
  addTarget(program, register);
  addAlerts(program, register);
  addNotify(program, register);
  addMetrics(program, register);
  addConfig(program, register);
  addAbout(program, register);
  program.helpCommand('help [command]', 'Show help for a command.');
  return program;
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
