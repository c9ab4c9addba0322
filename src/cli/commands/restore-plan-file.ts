import { readFile, stat, writeFile } from 'node:fs/promises';
import type { PlanProposal } from '../../agent/plan-types.ts';
import { HoldfastError } from '../../core/errors.ts';

/** A plan has at most 48 KiB; white space is a person's own. */
const fileSizeMax = 1024 * 1024;

/** The text of a file that describes a plan. @throws HoldfastError io-error | usage */
export async function readPlanFile(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > fileSizeMax) throw new HoldfastError('usage', `${path} is too large for a plan`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new HoldfastError('io-error', `cannot read the plan: ${reason}`, {
      next: 'holdfast restore plan DATASET --to SITE -o FILE makes one',
      cause: error,
    });
  }
}

/** Writes a resolved plan, for people to read and for restore run. @throws HoldfastError io-error */
export async function keepPlan(path: string, { plan: document }: PlanProposal): Promise<void> {
  try {
    // A new file: another plan under this name may be what somebody is about to run.
    await writeFile(path, `${JSON.stringify(document, null, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('io-error', `cannot write the plan: ${reason}`, {
      next: 'name a new file: -o FILE',
      cause,
    });
  }
}
