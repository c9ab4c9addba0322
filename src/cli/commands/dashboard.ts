import type { Command } from 'commander';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';

/** Where to look with a browser. */
export function addDashboard(program: Command, register: Register): void {
  const command = program
    .command('dashboard')
    .description('Print the link that opens the dashboard of the running agent in a browser.');
  register(command, async ({ backend, output, stateDir }) => {
    const place = await backend.dashboard({ stateDir });
    if (output.isJson) {
      await output.json(message('dashboard', place));
      return;
    }
    await output.print(place.link);
    await output.remark(
      'Whoever has this link can see everything here. From another machine, first: ' +
        `ssh -L ${new URL(place.url).port}:${new URL(place.url).host} HOST`,
    );
  });
}
