import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { HoldfastError } from '../core/errors.ts';
import type { PolicyDocument } from '../core/policy/policy-document.ts';
import { parsePolicy } from '../core/policy/policy-text.ts';
import { readAll } from './read-all.ts';
import type { CliContext } from './world.ts';

const fileSizeMax = 1024 * 1024;

/** The policy document in a file; `-`: standard input. @throws HoldfastError io-error | usage (which key is wrong) */
export async function policyFile(
  { cwd, stdin, signal }: CliContext,
  file: string,
): Promise<PolicyDocument> {
  let text: string;
  try {
    text =
      file === '-'
        ? (await readAll(stdin, { bytesMax: fileSizeMax, signal })).toString('utf8')
        : await readFile(resolve(cwd, file), 'utf8');
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('io-error', `cannot read the policy: ${reason}`, {
      next: 'holdfast policy show --json > FILE makes one',
      cause,
    });
  }
  try {
    return parsePolicy(JSON.stringify(unwrapped(text)));
  } catch (cause) {
    if (!(cause instanceof HoldfastError || cause instanceof SyntaxError)) throw cause;
    throw new HoldfastError('usage', `${file}: ${cause.message}`, { cause });
  }
}

/** What `policy show --json` prints holds the document beside other facts. */
function unwrapped(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('message_type' in value)) return value;
  return 'document' in value ? value.document : value;
}
