import { HoldfastError } from '../core/errors.ts';
import type { AgentKey } from '../core/ids.ts';
import type { CliContext } from './world.ts';

/** The key of the member of this name, or whose agent key begins so. @throws HoldfastError not-found | ambiguous */
export async function agentKeyOf(context: CliContext, text: string): Promise<AgentKey> {
  const peers = await context.backend.control(context.stateDir).peers();
  const named = peers.filter(({ name }) => name === text);
  const found =
    named.length > 0
      ? named
      : peers.filter(({ agentKey }) => text.length >= 4 && agentKey.startsWith(text));
  const [only, ...others] = found;
  const next = `holdfast peer list${context.stateFlag}`;
  if (only === undefined) {
    throw new HoldfastError('not-found', `no member is named ${JSON.stringify(text)}`, { next });
  }
  if (others.length > 0) {
    throw new HoldfastError('ambiguous', `${found.length} members answer to ${text}`, { next });
  }
  return only.agentKey as AgentKey;
}
