import type { DatasetKeys } from '../agent/key-types.ts';
import { HoldfastError } from '../core/errors.ts';
import type { CliContext } from './world.ts';

/** The keys of a dataset, by name, id, or the beginning of its id. @throws HoldfastError not-found | ambiguous */
export async function findKeys(context: CliContext, text: string): Promise<DatasetKeys> {
  const { datasets } = await context.backend.control(context.stateDir).keys();
  const named = datasets.filter(({ name, id }) => name === text || id === text);
  const found =
    named.length > 0 ? named : datasets.filter(({ id }) => text.length >= 4 && id.startsWith(text));
  const [only, second] = found;
  const next = `holdfast key list${context.stateFlag}`;
  if (only === undefined) {
    throw new HoldfastError('not-found', `there is no dataset ${JSON.stringify(text)}`, { next });
  }
  if (second === undefined) return only;
  throw new HoldfastError('ambiguous', `${found.length} datasets answer to "${text}"`, { next });
}
