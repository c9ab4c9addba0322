import { HoldfastError } from '../core/errors.ts';
import type { Role } from '../core/format/records.ts';
import type { Revocation } from '../core/protocol/control/member-book.ts';
import { dayMs } from '../base/units.ts';
import type { OwnExpulsion } from '../services/farewell.ts';
import type { Agent } from './agent.ts';
import { expelled, type ExpulsionReport } from './expelled.ts';
import { operatorName } from './operator-name.ts';

/** So long people are reminded of a role that was taken from their host. */
const remindMs = 30 * dayMs;

/** How this host came to be no member any more; undefined: it is one, as far as it knows. */
export function expulsionReport(agent: Agent): ExpulsionReport | undefined {
  const { own } = agent.control.farewell;
  if (own === undefined) return undefined;
  return { ...own, operators: [...own.operators], words: expulsionWords(own) };
}

function expulsionWords({ operators, timeMs, index, reason, toldBy }: OwnExpulsion): string {
  const by = operators.length === 0 ? 'operators' : operators.join(', ');
  const entry = `entry ${index} of the control log, ${timeText(timeMs)}`;
  const doubt =
    toldBy === undefined ? '' : `; ${toldBy} says so, and this host knows no such operators`;
  return `this host was put out of the cluster by ${by} (${entry}): ${reason}${doubt}`;
}

/** Nothing that this host does for the cluster counts any more. @throws HoldfastError not-permitted */
export function requireMembership(agent: Agent): void {
  const report = expulsionReport(agent);
  if (report !== undefined) throw expelled(report);
}

/** @throws HoldfastError not-permitted */
export function requireRole(agent: Agent, role: Role): void {
  const { agentKey, name, hasRole } = agent.member();
  if (hasRole(role)) return;
  const lost = revocationsOf(agent).find((one) => one.role === role);
  const what =
    lost === undefined
      ? `this host has not the role ${role}`
      : `this host has the role ${role} no more: ${revocationWords(agent, lost)}`;
  throw new HoldfastError('not-permitted', what, {
    next: `operators give it: holdfast peer set ${name} --role +${role}`,
    details: { agent: agentKey, role, ...(lost === undefined ? {} : { index: lost.index }) },
  });
}

/** What a person at this host should know of what it may do no more. */
export function membershipWarnings(agent: Agent): string[] {
  const { nowMs } = agent.control.log.state.time;
  const { name } = agent.member();
  return revocationsOf(agent)
    .filter(({ timeMs }) => nowMs - timeMs < remindMs)
    .map(
      (one) =>
        `this host has the role ${one.role} no more: ${revocationWords(agent, one)}. Operators give it back: holdfast peer set ${name} --role +${one.role}`,
    );
}

function revocationsOf(agent: Agent): readonly Revocation[] {
  return agent.control.log.state.members.record(agent.member().agentKey)?.revocations ?? [];
}

function revocationWords(agent: Agent, { authors, index, timeMs }: Revocation): string {
  const by = authors.map((key) => operatorName(agent, key)).join(', ');
  return `${by} took it (entry ${index} of the control log, ${timeText(timeMs)})`;
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
