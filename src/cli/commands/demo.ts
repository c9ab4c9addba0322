import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';

type DemoFlags = { once?: true; keep?: true };

/** A cluster on this machine, to see what it does. */
export function addDemo(program: Command, register: Register): void {
  const command = program
    .command('demo')
    .description('Run five sites on this machine: back up, lose two sites, restore.')
    .argument('[path...]', 'what to back up (default: this installation)')
    .option('--once', 'end after the restore instead of staying up')
    .option('--keep', "leave the demo's directory behind");
  register<DemoFlags>(
    command,
    async ({ backend, cwd, output, signal }, { args, options }) => {
      let printing = Promise.resolve();
      const print = (line: string): void => {
        printing = printing.then(() =>
          output.isJson ? output.json(message('status', { text: line })) : output.print(line),
        );
        // Reported below; a demo need not stop at once when its output cannot be written.
        printing.catch(() => undefined);
      };
      const paths = args.map((path) => resolve(cwd, path));
      const { once = false, keep = false } = options;
      await backend.demo({ paths, once, keep, print }, { signal });
      await printing;
    },
    { stopsInOrder: true },
  );
}
