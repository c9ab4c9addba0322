import type { Command } from 'commander';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { clean, formatTime } from '../terminal-text.ts';

/** alerts. */
export function addAlerts(program: Command, register: Register): void {
  const command = program
    .command('alerts')
    .description('Show what this agent has raised alarms about since it has started.')
    .option('--all', 'also those that are over');
  register<{ all?: true }>(command, async ({ backend, stateDir, output }, { options }) => {
    const alerts = await backend.control(stateDir).alerts();
    const shown = alerts.filter(({ clearedMs }) => options.all === true || clearedMs === undefined);
    if (output.isJson) {
      for (const alert of shown) await output.json(message('alert', alert));
      return;
    }
    if (shown.length === 0) await output.print('no alarm stands');
    for (const { kind, text, sinceMs, clearedMs, runbook } of shown) {
      const state = clearedMs === undefined ? '' : `, over since ${formatTime(clearedMs)}`;
      await output.print(`${formatTime(sinceMs)}  ${clean(kind)}${state}`, `  ${clean(text)}`);
      if (runbook !== undefined) await output.print(`  runbook: ${runbook}`);
    }
  });
}
