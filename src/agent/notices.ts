import { NoticeQueue } from '../services/notify/notice-queue.ts';
import { Notifier } from '../services/notify/notifier.ts';
import type { Agent } from './agent.ts';
import type { AgentPorts } from './agent-ports.ts';

/** What people are still to be told from before. @throws HoldfastError corrupt | io-error */
export function openNotices({
  index,
  channels = [],
  log,
}: Pick<AgentPorts, 'index' | 'channels' | 'log'>): Promise<NoticeQueue> {
  const names = channels.map(({ name }) => name);
  return NoticeQueue.open(index, names, log);
}

export function notifierOf(
  agent: Agent,
  { channels = [], clock, log }: Pick<AgentPorts, 'channels' | 'clock' | 'log'>,
  queue: NoticeQueue,
): Notifier {
  const sender = () => {
    const { name, site } = agent.member();
    const { cluster, roster } = agent.ledger;
    return { cluster: { id: cluster, name: roster.genesis.name }, agent: { name, site } };
  };
  return new Notifier({ channels, queue, sender, clock, log });
}
