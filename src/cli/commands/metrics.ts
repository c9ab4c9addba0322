import type { Command } from 'commander';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';

/** metrics. */
export function addMetrics(program: Command, register: Register): void {
  const command = program
    .command('metrics')
    .description('Print the numbers of this agent in the text format of Prometheus.');
  register(command, async ({ backend, stateDir, output }) => {
    const { text } = await backend.control(stateDir).metrics();
    if (output.isJson) await output.json(message('metrics', { text }));
    else await output.print(text.trimEnd());
  });
}
