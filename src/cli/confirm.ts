import { HoldfastError } from '../core/errors.ts';
import { clean } from './terminal-text.ts';
import type { CliContext } from './world.ts';

/** More than anybody types to confirm something. */
const answerLengthMax = 4096;

/**
 * Lets a person confirm by typing a word, when there is a terminal to ask on.
 * @throws HoldfastError usage (nobody can be asked, and `isSure` was not said) | failed (it was not confirmed)
 */
export async function confirm(
  context: CliContext,
  options: { readonly warning: string; readonly word: string; readonly isSure: boolean },
): Promise<void> {
  const { output, stdin, signal } = context;
  const { warning, word, isSure } = options;
  if (isSure) return;
  const isAskable = output.isTty && (stdin as { isTTY?: boolean }).isTTY === true;
  if (!isAskable || output.isJson) {
    throw new HoldfastError('usage', `${warning}\nNobody is here to confirm it.`, {
      next: 'the same with --yes, when you are sure',
    });
  }
  await output.print(clean(warning), `Type ${clean(word)} to confirm:`);
  const answer = await readLine(stdin, signal);
  if (answer.trim() !== word) {
    throw new HoldfastError('failed', 'not confirmed: nothing was done');
  }
}

async function readLine(stdin: CliContext['stdin'], signal: AbortSignal): Promise<string> {
  let text = '';
  const stop = (): void => void stdin.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const part of stdin) {
      text += String(part);
      const end = text.indexOf('\n');
      if (end !== -1) return text.slice(0, end);
      if (text.length > answerLengthMax) break;
    }
    return text;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
