import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { RecipientReport } from '../../agent/key-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { KeyRecipient, RecipientSet } from '../../core/format/control-records.ts';
import type { AgentKey, DatasetId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { Register } from '../action.ts';
import type { KeyScope } from '../backend.ts';
import { type KeyFlags, keyOptions, runChange } from '../key-change.ts';
import { findKeys } from '../key-dataset.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type AddFlags = KeyFlags & { all?: true; name?: string; recipientFile?: string };
type RemoveFlags = KeyFlags & { all?: true };

/** key add, remove, rewrap. */
export function addKeyRecipients(key: Command, register: Register): void {
  const addCommand = key
    .command('add')
    .description('Let an age recipient open a dataset, its old snapshots too. Operators sign it.')
    .argument('[dataset]', 'its name, or the beginning of its id; none with --all')
    .argument('[recipient]', 'an age recipient: age1pq1... or age1...')
    .option('--all', 'of all datasets, also future ones')
    .option('--name <text>', 'whose it is')
    .option('--recipient-file <file>', 'the recipient, on a line of a file');
  register<AddFlags>(keyOptions(addCommand), (context, { args, options }) =>
    add(context, args, options),
  );
  const removeCommand = key
    .command('remove')
    .description('Let a recipient open a dataset no more. Operators sign it.')
    .argument('[dataset]', 'its name, or the beginning of its id; none with --all')
    .argument('[recipient]', 'its name, the beginning of its id, or the recipient itself')
    .option('--all', 'one that was added with --all');
  register<RemoveFlags>(keyOptions(removeCommand), (context, { args, options }) =>
    remove(context, args, options),
  );
  const rewrapCommand = key
    .command('rewrap')
    .description('Seal epochs that were left behind to the kit and recipients that count now.');
  register<KeyFlags>(keyOptions(rewrapCommand), async (context, { options }) => {
    const words = 'Nothing is left behind.';
    await runChange(context, options, { scope: { kind: 'stale' }, words });
  });
}

/** Whose recipients, and which epochs that touches. */
type Target = {
  readonly of: RecipientSet['of'];
  readonly scope: KeyScope;
  readonly what: string;
  readonly before: readonly RecipientReport[];
};

async function targetOf(context: CliContext, dataset: string | undefined): Promise<Target> {
  if (dataset === undefined) {
    const { recipients } = await context.backend.control(context.stateDir).keys();
    return { of: undefined, scope: { kind: 'all' }, what: 'all datasets', before: recipients };
  }
  const { id, writer, name, recipients } = await findKeys(context, dataset);
  const of = { writer: writer as AgentKey, dataset: id as DatasetId };
  return { of, scope: { kind: 'dataset', ...of }, what: name, before: recipients };
}

/** With --all the first word is the recipient. */
function wordsOf(
  args: readonly string[],
  isAll: boolean,
): { dataset: string | undefined; word: string | undefined } {
  const [first, second] = args;
  if (!isAll && first === undefined) {
    throw new HoldfastError('usage', 'name a dataset, or --all', { next: 'holdfast key --help' });
  }
  if (isAll && second !== undefined) {
    throw new HoldfastError('usage', '--all is for all datasets: name none');
  }
  return isAll ? { dataset: undefined, word: first } : { dataset: first, word: second };
}

async function add(context: CliContext, args: readonly string[], flags: AddFlags): Promise<void> {
  const { dataset, word } = wordsOf(args, flags.all === true);
  const recipient = word ?? (await recipientIn(context, flags.recipientFile));
  if (!/^age1[a-z0-9]{20,4000}$/.test(recipient)) {
    throw new HoldfastError('usage', 'this is no age recipient: it begins with age1', {
      next: 'on the machine of its holder: age-keygen -o key.txt; a secret key (AGE-SECRET-KEY) does not belong here',
    });
  }
  const { of, scope, what, before } = await targetOf(context, dataset);
  if (before.some((one) => one.recipient === recipient)) {
    throw new HoldfastError('not-permitted', `this recipient may open ${what} already`);
  }
  if (before.length >= limits.keyRecipientsMax - 1) {
    throw new HoldfastError('limit-exceeded', `${what} has as many recipients as it may have`);
  }
  const recipients = [...before.map(plain), { name: flags.name ?? '', recipient }];
  if (!recipient.startsWith('age1pq1')) {
    await context.output.remark(
      'note: this is a classical key; who records backups today could open them with a quantum computer one day',
    );
  }
  await runChange(context, flags, {
    scope,
    set: { of, recipients },
    words: `${clean(flags.name ?? `${recipient.slice(0, 16)}...`)} may open ${clean(what)} from now on.`,
  });
}

async function remove(
  context: CliContext,
  args: readonly string[],
  flags: RemoveFlags,
): Promise<void> {
  const { dataset, word = '' } = wordsOf(args, flags.all === true);
  const { of, scope, what, before } = await targetOf(context, dataset);
  const named = before.filter(({ name, recipient }) => name === word || recipient === word);
  const byId = before.filter(({ id }) => word.length >= 4 && id.startsWith(word));
  const found = named.length > 0 ? named : byId;
  const [only] = found;
  if (only === undefined || found.length > 1) {
    const how = only === undefined ? 'no recipient' : 'more than one recipient';
    throw new HoldfastError('not-found', `${how} of ${what} answers to ${JSON.stringify(word)}`, {
      next: `holdfast key list${context.stateFlag}`,
    });
  }
  const recipients = before.filter((one) => one !== only).map(plain);
  await runChange(context, flags, {
    scope,
    set: { of, recipients },
    words: `${clean(only.name || only.id)} may open ${clean(what)} no more.`,
  });
  if (context.output.isJson) return;
  await context.output.remark(
    'Whoever has kept a copy of an old key record opens what it was for. To part with that too: holdfast key rotate',
  );
}

function plain({ name, recipient }: RecipientReport): KeyRecipient {
  return { name, recipient };
}

async function recipientIn(context: CliContext, file: string | undefined): Promise<string> {
  if (file === undefined) {
    throw new HoldfastError('usage', 'name a recipient, or --recipient-file FILE');
  }
  try {
    const text = await readFile(resolve(context.cwd, file), 'utf8');
    const lines = text.split(/\r?\n/).map((line) => line.trim());
    return lines.find((line) => line.startsWith('age1')) ?? '';
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('io-error', `cannot read the recipient: ${reason}`, { cause });
  }
}
