import type { Command } from 'commander';
import { noQuorum } from '../../agent/coordinator-quorum.ts';
import type { CoordinatorReport } from '../../agent/coordinator-types.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { clean, counted, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { addDecree } from './coordinator-decree.ts';

/** coordinator status, step-down, decree. */
export function addCoordinator(program: Command, register: Register): void {
  const coordinator = program
    .command('coordinator')
    .description('Show and steer who decides for the cluster.');
  const statusCommand = coordinator
    .command('status')
    .description('Show who coordinates, who votes, and whether a quorum agrees.');
  register(statusCommand, status);
  const stepDownCommand = coordinator
    .command('step-down')
    .description('Let another voter coordinate; nothing that is under way is lost.')
    .option('--to <name>', 'this one');
  register<{ to?: string }>(stepDownCommand, async (context, { options }) => {
    const { to } = options;
    const agent = context.backend.control(context.stateDir);
    await print(context, await agent.stepDown(to === undefined ? {} : { to }));
  });
  addDecree(coordinator, register);
}

async function status(context: CliContext): Promise<void> {
  const report = await context.backend.control(context.stateDir).coordinator();
  await print(context, report);
  if (!report.isConfirmed) throw noQuorum(report);
}

async function print(context: CliContext, report: CoordinatorReport): Promise<void> {
  const { output } = context;
  if (output.isJson) return output.json(message('coordinator', report));
  const { generation, term, leader, quorum, voters, layout, logTimeMs, format } = report;
  const who = leader === undefined ? 'nobody' : clean(leader);
  const sure = report.isConfirmed ? 'a quorum agrees' : 'NOT confirmed by a quorum';
  await output.print(
    `Coordinator: ${output.style(who, report.isConfirmed ? 'green' : 'red')} (${sure}).`,
    `  generation ${generation}, term ${term}; ${quorum} of ${counted(voters.length, 'voter')} must agree; this host: ${report.role}`,
    `  log: ${report.commit} entries committed, ${report.applied} applied here; layout version ${layout.version} (${layout.mode}); format ${format}`,
    `  log time: ${logTimeMs === 0 ? 'not known yet' : formatTime(logTimeMs)}`,
    '',
  );
  await output.table(
    [{ title: 'VOTER' }, { title: 'SITE' }, { title: 'STATE' }, { title: 'LAG', align: 'right' }],
    voters.map((voter) => [
      voter.isWitness ? `${voter.name} (witness)` : voter.name,
      voter.site,
      voter.isReachable
        ? { text: 'reachable', style: 'green' }
        : { text: 'unreachable', style: 'red' },
      voter.lag === undefined ? '-' : String(voter.lag),
    ]),
  );
  if (report.learners.length > 0) {
    await output.print(`Following without a vote: ${clean(report.learners.join(', '))}`);
  }
  for (const { text, next } of report.warnings) {
    await output.print(`${output.style('!', 'yellow')} ${clean(text)}`, `  next: ${clean(next)}`);
  }
}
