import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { HoldfastError } from '../core/errors.ts';
import { operatorSecretMark } from '../core/format/operator-secret.ts';
import type { AgentKey } from '../core/ids.ts';
import type { CliContext } from './world.ts';

const publicPattern = /^[0-9a-f]{64}$/;

/**
 * The public half of an operator's key: the line that `operator key` has printed, or a file with it.
 * @throws HoldfastError usage | io-error
 */
export async function operatorPublicKey({ cwd }: CliContext, text: string): Promise<AgentKey> {
  if (publicPattern.test(text)) return text as AgentKey;
  const line = (await textOf(resolve(cwd, text))).trim();
  if (publicPattern.test(line)) return line as AgentKey;
  const what = line.startsWith(operatorSecretMark) ? 'the secret half' : 'no public half';
  throw new HoldfastError('usage', `${text} holds ${what} of an operator key`, {
    next: 'its owner runs: holdfast operator key -o FILE, and hands on the line that it prints',
  });
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError(
      'usage',
      `an operator key is 64 hexadecimal digits, or a file that holds them: ${reason}`,
      { next: 'the new operator runs: holdfast operator key -o FILE', cause },
    );
  }
}
