import { resolve } from 'node:path';
import { HoldfastError } from '../core/errors.ts';
import type { ShareText } from './backend.ts';
import { readKit } from './kit-file.ts';
import { shellWord } from './shell-word.ts';
import type { CliContext } from './world.ts';

/** Texts of shares of a recovery kit; one may come from standard input. @throws HoldfastError io-error | wrong-key */
export async function readShares(
  context: CliContext,
  files: readonly string[],
): Promise<ShareText[]> {
  const { cwd, stdin, signal, output } = context;
  const shares: ShareText[] = [];
  for (const file of files) {
    const path = file === '-' ? file : resolve(cwd, file);
    const { text, isExposed } = await readKit(path, { stdin, signal });
    if (text.startsWith('age-encryption.org/')) {
      throw new HoldfastError('wrong-key', `${file} is sealed to its custodian`, {
        next: `age -d -i KEY ${shellWord(file)} > SHARE, on the custodian's machine`,
      });
    }
    if (isExposed) {
      const fix = `chmod 600 ${shellWord(file)}`;
      await output.remark(`warning: others on this host can read ${file}: ${fix}`);
    }
    shares.push({ file, text });
  }
  return shares;
}
