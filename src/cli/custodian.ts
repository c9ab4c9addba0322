import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { HoldfastError } from '../core/errors.ts';
import { printableText } from '../core/format/field.ts';
import type { CliContext } from './world.ts';

/** Who gets a share of the recovery kit; with a recipient it is sealed with age. */
export type Custodian = { name: string; recipient?: string };

/** Collects `--custodian NAME`, `NAME=RECIPIENT` or `NAME=@FILE`. */
export function custodianArgument(
  value: string,
  before: readonly Custodian[] | undefined,
): Custodian[] {
  const at = value.indexOf('=');
  const name = at === -1 ? value : value.slice(0, at);
  const recipient = at === -1 ? undefined : value.slice(at + 1);
  if (name === '' || recipient === '' || name.includes('/')) {
    throw new InvalidArgumentError('Give NAME, NAME=RECIPIENT or NAME=@FILE.');
  }
  return [...(before ?? []), { name, ...(recipient === undefined ? {} : { recipient }) }];
}

/** The same with recipients read from their files. @throws HoldfastError usage | io-error */
export function custodiansGiven(
  context: CliContext,
  given: readonly Custodian[],
): Promise<Custodian[]> {
  return Promise.all(
    given.map(async ({ name, recipient }) => {
      printableText(name, { min: 1, max: 63 }, 'name of a custodian');
      if (recipient === undefined) return { name };
      return { name, recipient: await recipientOf(context, recipient) };
    }),
  );
}

async function recipientOf({ cwd }: CliContext, text: string): Promise<string> {
  const found = text.startsWith('@')
    ? (await textOf(resolve(cwd, text.slice(1)))).split(/\s+/)
    : [text];
  const recipient = found.find((word) => /^age1[a-z0-9]{20,4000}$/.test(word));
  if (recipient !== undefined) return recipient;
  throw new HoldfastError('usage', `${text} is no age recipient: it begins with age1`);
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('io-error', `cannot read a custodian's recipient: ${reason}`, {
      next: '--custodian NAME=@FILE, where FILE holds a line that begins with age1',
      cause,
    });
  }
}
