import { type AgentKey, idBytes } from '../ids.ts';
import type { BodyMessage } from './control-field.ts';
import type { BodyOf, DrainTarget } from './control-records.ts';
import { idField, label, malformed } from './field.ts';
import type { DrainCommand } from './gen/holdfast/v1/control_pb.js';

/** Who a drain is about, in a message. @throws HoldfastError bad-encoding */
export function drainTargetFrom({
  agent,
  site,
}: Pick<DrainCommand, 'agent' | 'site'>): DrainTarget {
  if ((agent.length === 0) === (site === '')) throw malformed('a drain names an agent or a site');
  if (site !== '') return { site: label(site, 'site') };
  return { agent: idField<AgentKey>(agent, 32, 'agent') };
}

/** The fields of such a message. */
export function drainTargetMessage(target: DrainTarget): { agent: Uint8Array; site: string } {
  if ('site' in target) return { agent: new Uint8Array(), site: target.site };
  return { agent: idBytes(target.agent), site: '' };
}

/** The message of a drain. */
export function drainMessage({ target, isOver }: BodyOf<'drain'>): BodyMessage {
  return { case: 'drain', value: { ...drainTargetMessage(target), isOver } };
}
