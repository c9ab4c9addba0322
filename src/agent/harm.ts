import type { ErrorCode } from '../core/errors.ts';
import { type PeerKey, shortId } from '../core/ids.ts';
import type { Clock, Log } from '../ports/runtime.ts';
import { HarmWatch } from '../services/audit/harm-watch.ts';
import type { SyncOptions } from '../services/sync.ts';
import type { Agent } from './agent.ts';

/** Nobody sends such a thing by mistake. */
const forgeries: ReadonlySet<ErrorCode> = new Set(['bad-signature', 'equivocation', 'rollback']);

/** Watches for what looks like somebody else at work. */
export function harmWatch(agent: Agent, ports: { clock: Clock; log: Log }): HarmWatch {
  return new HarmWatch({
    ledger: agent.ledger,
    state: () => agent.control.log.state,
    hostClock: {
      get freeze() {
        return agent.keeping.hostClock.freeze;
      },
      latestMs: () => agent.keeping.hostClock.latestMs(),
    },
    alarms: {
      raise: (...alarm) => agent.alarms.raise(...alarm),
      settle: (...settled) => agent.alarms.settle(...settled),
    },
    nameOf: (key) => agent.nameOf(key),
    clock: ports.clock,
    log: ports.log,
  });
}

/** What synchronisation tells of. */
export function syncRules(agent: Agent): Pick<SyncOptions, 'onOwnLearnt' | 'onRefused'> {
  return {
    onOwnLearnt: (stream, count) => agent.harm.stateLost(stream, count),
    onRefused: (peer, code, reason) => {
      if (!forgeries.has(code)) return;
      const event = { actor: peerName(agent, peer), action: 'handed out a statement' } as const;
      const outcome = { subject: '', detail: reason, outcome: 'refused' } as const;
      agent.audit.log.note({ ...event, ...outcome, kind: 'refusal' });
      forgery(agent, peer, code, reason);
    },
  };
}

/** A peer has said what cannot be true: people are told. */
export function forgery(agent: Agent, peer: PeerKey, code: ErrorCode, reason: string): void {
  if (forgeries.has(code)) agent.harm.forged(peerName(agent, peer), code, reason);
}

function peerName(agent: Agent, peer: PeerKey): string {
  return agent.ledger.roster.memberByPeer(peer)?.name ?? shortId(peer);
}
