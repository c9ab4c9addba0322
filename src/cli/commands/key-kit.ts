import { resolve } from 'node:path';
import type { Command } from 'commander';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { type KeyFlags, keyOptions, runChange } from '../key-change.ts';
import { KitFile } from '../kit-file.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type KitFlags = KeyFlags & { output: string };

/** key kit. */
export function addKeyKit(key: Command, register: Register): void {
  const command = key
    .command('kit')
    .description('Make a new recovery kit; the old one opens nothing more. Operators sign it.')
    .requiredOption('-o, --output <file>', 'write the new kit to this new file');
  register<KitFlags>(keyOptions(command), (context, { options }) => renew(context, options));
}

async function renew(context: CliContext, flags: KitFlags): Promise<void> {
  const { output, cwd } = context;
  // Made first: a kit that cannot be kept must not come into force.
  await using file = await KitFile.create(resolve(cwd, flags.output));
  let isDecided = false;
  try {
    await runChange(context, flags, {
      scope: { kind: 'all' },
      keepKit: (text) => file.keep(text),
      words: `The new recovery kit is in ${clean(flags.output)}; the old one opens nothing more.`,
      facts: { kitFile: file.path },
    });
    isDecided = true;
  } catch (error) {
    const isOpen = ['no-quorum', 'approval-needed', 'interrupted', 'timeout'];
    const isRefused = error instanceof HoldfastError && !isOpen.includes(error.code);
    // Without an answer the log may still take it: then this is the only kit there is.
    if (isRefused) await file.forget();
    else await output.remark(`keep ${file.path} until holdfast key list says which kit counts`);
    throw error;
  }
  if (!isDecided || output.isJson) return;
  await output.print(
    'Print it, put it in a safe, and delete the file. Destroy the old kit when all members hold the new records.',
  );
}
