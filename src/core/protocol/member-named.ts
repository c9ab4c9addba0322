import { HoldfastError } from '../errors.ts';
import { shortId } from '../ids.ts';
import type { Member } from './member.ts';

/** By name, or by the first 4 or more characters of either key. @throws HoldfastError not-found | ambiguous */
export function memberNamed(members: readonly Member[], text: string): Member {
  const named = members.filter(({ name }) => name === text);
  const isPrefix = (key: string): boolean => text.length >= 4 && key.startsWith(text);
  const found =
    named.length > 0
      ? named
      : members.filter(({ agentKey, peerKey }) => isPrefix(agentKey) || isPrefix(peerKey));
  if (found.length > 1) {
    throw new HoldfastError('ambiguous', `${found.length} members answer to "${text}"`, {
      next: 'holdfast peer list',
      details: { keys: found.map(({ peerKey }) => shortId(peerKey)).join(' ') },
    });
  }
  if (found[0] !== undefined) return found[0];
  throw new HoldfastError('not-found', `there is no member "${text}"`, {
    next: 'holdfast peer list',
  });
}
