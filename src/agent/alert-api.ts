import { alarmId, type KnownAlarm } from '../services/alarm-book.ts';
import type { Agent } from './agent.ts';
import type { AlertApi, AlertReport } from './alert-types.ts';

export function alertApi(agent: Agent): AlertApi {
  return {
    alerts: async () => agent.alarms.all().map((alarm) => alertReport(agent, alarm)),
    clearAlert: async ({ id }) => alertReport(agent, await agent.alarms.clear(id)),
    channels: async () =>
      agent.notifier.states().map(({ problem, ...state }) => ({
        ...state,
        ...(problem === undefined ? {} : { problem }),
      })),
    testChannels: async () =>
      (await agent.notifier.test()).map(({ channel: { name, messenger }, delivery }) => ({
        ...{ channel: name, target: messenger.target, isSent: delivery.outcome === 'sent' },
        ...(delivery.outcome === 'sent' ? {} : { problem: delivery.reason }),
      })),
  };
}

function alertReport(agent: Agent, alarm: KnownAlarm): AlertReport {
  const { kind, subject, text, facts, sinceMs, clearedMs, runbook } = alarm;
  return {
    ...{ id: alarmId(alarm), kind, subject, text, sinceMs, facts: { ...facts } },
    clearsItself: agent.alarms.isWatched(kind),
    ...(clearedMs === undefined ? {} : { clearedMs }),
    ...(runbook === undefined ? {} : { runbook }),
  };
}
