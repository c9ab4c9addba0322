import { HoldfastError } from '../errors.ts';
import type { AgentDescriptor } from '../format/records.ts';
import { limits } from '../limits.ts';
import type { DatasetRecord } from './dataset-book.ts';
import type { Member } from './member.ts';

/** Why nobody should be admitted as this on top of these members; undefined: it is well. */
export function admissionObjection(
  members: readonly Member[],
  { name, statementKey, transportKey }: AgentDescriptor,
): HoldfastError | undefined {
  if (members.length >= limits.membersMax) {
    return new HoldfastError('limit-exceeded', `a cluster has at most ${members.length} members`);
  }
  if (members.some((member) => member.name === name)) {
    return refusal(`the name "${name}" is taken; join under another name`);
  }
  const inUse = new Set<string>(members.flatMap((member) => [member.agentKey, member.peerKey]));
  if (!inUse.has(statementKey) && !inUse.has(transportKey)) return undefined;
  return refusal(`a key of "${name}" belongs to another member`);
}

/** Why no dataset should be called so on top of these; undefined: it is well. */
export function datasetObjection(
  datasets: readonly DatasetRecord[],
  { id, name }: Pick<DatasetRecord, 'id' | 'name'>,
): HoldfastError | undefined {
  const others = datasets.filter((other) => other.id !== id && other.name === name);
  if (others.length === 0) return undefined;
  return refusal(`another dataset is called "${name}"; choose another name`);
}

function refusal(why: string): HoldfastError {
  return new HoldfastError('not-permitted', why);
}
