import { type Command, InvalidArgumentError } from 'commander';
import type { AlertReport } from '../../agent/alert-types.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

/** alerts, alerts clear. */
export function addAlerts(program: Command, register: Register): void {
  const command = program
    .command('alerts')
    .description('Show what is wrong, as far as this agent has told people of it.')
    .option('--all', 'also what is over');
  register<{ all?: true }>(command, (context, { options }) => list(context, options.all === true));
  const clearCommand = command
    .command('clear')
    .description('End an alarm that tells of something that has happened once.')
    .argument('<id...>', 'the beginning of its id', idArgument);
  register(clearCommand, (context, { args }) => clear(context, args));
}

function idArgument(value: string, before: readonly string[] | undefined): string[] {
  if (!/^[0-9a-f]{2,12}$/i.test(value)) {
    throw new InvalidArgumentError('It is no id of an alarm: holdfast alerts shows them.');
  }
  return [...(before ?? []), value];
}

async function list({ backend, stateDir, output }: CliContext, isAll: boolean): Promise<void> {
  const alerts = await backend.control(stateDir).alerts();
  const shown = alerts.filter(({ clearedMs }) => isAll || clearedMs === undefined);
  if (output.isJson) {
    for (const alert of shown) await output.json(message('alert', alert));
    return;
  }
  if (shown.length === 0) return output.print(isAll ? 'no alarm was raised' : 'no alarm stands');
  for (const alert of shown) await output.print(...lines(alert));
  const once = shown.find((one) => one.clearedMs === undefined && !one.clearsItself);
  if (once === undefined) return;
  await output.print(
    `Those marked "once" do not clear themselves. When you have looked: holdfast alerts clear ${once.id}`,
  );
}

function lines({
  id,
  kind,
  text,
  sinceMs,
  clearedMs,
  clearsItself,
  runbook,
}: AlertReport): string[] {
  const over = clearedMs === undefined ? '' : `, over since ${formatTime(clearedMs)}`;
  const once = clearedMs === undefined && !clearsItself ? ', once' : '';
  return [
    `${formatTime(sinceMs)}  ${clean(kind)} (${id}${once})${over}`,
    `  ${clean(text)}`,
    ...(runbook === undefined ? [] : [`  runbook: ${runbook}`]),
  ];
}

async function clear(
  { backend, stateDir, output }: CliContext,
  ids: readonly string[],
): Promise<void> {
  for (const id of ids) {
    const alert = await backend.control(stateDir).clearAlert({ id });
    if (output.isJson) await output.json(message('alert', alert));
    else await output.print(`cleared: ${clean(alert.kind)} (${alert.id})`);
  }
}
