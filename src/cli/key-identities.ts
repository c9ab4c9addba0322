import { resolve } from 'node:path';
import type { Command } from 'commander';
import { HoldfastError } from '../core/errors.ts';
import { parseKit } from '../core/format/recovery-kit.ts';
import { repeated } from './arguments.ts';
import { readKit } from './kit-file.ts';
import { shellWord } from './shell-word.ts';
import type { CliContext } from './world.ts';

export type IdentityFlags = { kit?: string[]; identity?: string[] };

/** The options of commands that open key records at this terminal. */
export function identityOptions(command: Command): Command {
  return command
    .option(
      '--kit <file>',
      'a recovery kit; - reads standard input; repeatable (HOLDFAST_KIT_FILE)',
      repeated,
    )
    .option(
      '--identity <file>',
      'an age identity file of a recipient; - reads standard input; repeatable',
      repeated,
    );
}

/** age identities, out of files or standard input. @throws HoldfastError key-needed | wrong-key | io-error */
export async function readIdentities(
  context: CliContext,
  flags: IdentityFlags,
): Promise<readonly string[]> {
  const { env, argv } = context;
  const named = [...(flags.kit ?? []), ...(flags.identity ?? [])];
  const fromEnv = env.HOLDFAST_KIT_FILE;
  const kits = named.length === 0 && fromEnv ? [fromEnv] : (flags.kit ?? []);
  if (kits.length + (flags.identity ?? []).length === 0) {
    const command = ['holdfast', ...argv, '--kit', 'FILE'].map(shellWord).join(' ');
    throw new HoldfastError(
      'key-needed',
      'this opens key records, which needs the recovery kit or the identity of a recipient',
      { next: command },
    );
  }
  if (named.filter((file) => file === '-').length > 1) {
    throw new HoldfastError('usage', 'standard input can be read once');
  }
  const identities: string[] = [];
  for (const file of kits) identities.push(parseKit(await readSecret(context, file)).identity);
  for (const file of flags.identity ?? []) {
    identities.push(...identitiesIn(await readSecret(context, file), file));
  }
  return identities;
}

async function readSecret(context: CliContext, file: string): Promise<string> {
  const { cwd, output, signal, stdin } = context;
  const { text, isExposed } = await readKit(file === '-' ? file : resolve(cwd, file), {
    stdin,
    signal,
  });
  if (isExposed) {
    const fix = `chmod 600 ${shellWord(file)}`;
    await output.remark(`warning: others on this host can read ${file}: ${fix}`);
  }
  return text;
}

/** As age writes them: one a line, with comments. */
function identitiesIn(text: string, file: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const found = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (found.length > 0 && found.every((line) => /^AGE-SECRET-KEY-/i.test(line))) return found;
  throw new HoldfastError('wrong-key', `${file} is no age identity file`, {
    next: 'give a file as age-keygen writes it; for a recovery kit: --kit FILE',
  });
}
