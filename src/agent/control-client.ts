import { join } from 'node:path';
import type { AgentApi, SnapshotFilter } from './api.ts';
import { ControlEvents } from './control-events.ts';
import { type Exchange, lostConnection, openExchange, textOf } from './control-exchange.ts';

/** Where an agent serves its control API. */
export function controlSocketPath(stateDir: string): string {
  return join(stateDir, 'control.sock');
}

/** The API of the agent behind a socket. Every call makes a connection of its own. */
export function connectControl(socketPath: string): AgentApi {
  const call = async <T>(method: string, path: string, body?: object): Promise<T> =>
    receive<T>(openExchange(socketPath, { method, path, body }), socketPath);
  const stream = <T extends object>(path: string, body: object): AsyncIterable<T> => ({
    [Symbol.asyncIterator]: () => {
      const exchange = openExchange(socketPath, { method: 'POST', path, body });
      return new ControlEvents<T>(exchange, () => lostConnection(socketPath));
    },
  });
  return {
    identity: () => call('GET', '/v1/identity'),
    status: () => call('GET', '/v1/status'),
    peers: () => call('GET', '/v1/peers'),
    ping: (peer) => call('POST', `/v1/peers/${encodeURIComponent(peer)}/ping`),
    snapshots: (filter) => call('GET', `/v1/snapshots${queryOf(filter)}`),
    backup: (request) => stream('/v1/backup', request),
    check: (request) => stream('/v1/check', request),
    validate: (request) => stream('/v1/validate', request),
    operatorHead: (key) => call('GET', `/v1/operators/${encodeURIComponent(key)}/head`),
    submit: (envelope) => call('POST', '/v1/statements', { envelope }),
    rebuildIndex: () => call('POST', '/v1/index/rebuild'),
    coordinator: () => call('GET', '/v1/coordinator'),
    stepDown: (request) => call('POST', '/v1/coordinator/step-down', request),
    submitCommand: (request) => call('POST', '/v1/commands', request),
    prepareDecree: (request) => call('POST', '/v1/decree/prepare', request),
    announceDecree: (request) => call('POST', '/v1/decree/announce', request),
    decree: () => call('GET', '/v1/decree'),
    layout: () => call('GET', '/v1/layout'),
    planLayout: (request) => call('POST', '/v1/layout/plan', request),
    datasets: () => call('GET', '/v1/datasets'),
    keys: () => call('GET', '/v1/keys'),
    rotateKey: (request) => call('POST', '/v1/keys/rotate', request),
    keyMaterial: () => call('GET', '/v1/keys/material'),
    stageKeyRecords: (request) => call('POST', '/v1/keys/stage', request),
    unstageKeyRecords: async (request) => {
      await call('POST', '/v1/keys/unstage', request);
    },
    keyHolders: (request) => call('POST', '/v1/keys/holders', request),
    demote: (request) => call('POST', '/v1/datasets/demote', request),
    policy: () => call('GET', '/v1/policy'),
    logProof: () => call('GET', '/v1/log-proof'),
    operators: () => call('GET', '/v1/operators'),
    proposals: () => call('GET', '/v1/proposals'),
    removedPeers: () => call('GET', '/v1/peers/removed'),
    veto: (request) => call('POST', '/v1/proposals/veto', request),
    auditHead: () => call('GET', '/v1/audit'),
    auditEntries: (request) => call('POST', '/v1/audit/entries', request),
    verifyAudit: () => call('POST', '/v1/audit/verify'),
    tripwires: () => call('GET', '/v1/tripwires'),
    keeping: () => call('GET', '/v1/keeping'),
    resolveSnapshots: (request) => call('POST', '/v1/snapshots/resolve', request),
    retention: (request) => call('POST', '/v1/retention', request),
    proposeExpiry: (request) => call('POST', '/v1/retention/propose', request),
    prune: () => call('POST', '/v1/prune'),
    alerts: () => call('GET', '/v1/alerts'),
    channels: () => call('GET', '/v1/channels'),
    testChannels: () => call('POST', '/v1/channels/test'),
    clearAlert: (request) => call('POST', '/v1/alerts/clear', request),
    metrics: () => call('GET', '/v1/metrics'),
    drills: () => call('GET', '/v1/drills'),
    drillTerms: (request) => call('POST', '/v1/drills/terms', request),
    drillShape: (request) => call('POST', '/v1/drills/shape', request),
    recordDrill: (request) => call('POST', '/v1/drills', request),
    drillKey: () => call('POST', '/v1/drills/key'),
    drillSchedule: () => call('GET', '/v1/drills/schedule'),
    runDrill: (request) => stream('/v1/drills/run', request),
    drillEvidence: () => call('POST', '/v1/drills/evidence'),
    repairs: (request) => call('POST', '/v1/repairs', request),
    bandwidth: () => call('GET', '/v1/bandwidth'),
    limitBandwidth: (request) => call('POST', '/v1/bandwidth', request),
    stats: (request) => call('POST', '/v1/stats', request),
    drains: () => call('GET', '/v1/drains'),
    forecastLoss: (request) => call('POST', '/v1/layout/loss', request),
    scrub: (request) => call('POST', '/v1/scrub', request),
    stores: (request) => call('POST', '/v1/stores', request),
    resolvePlan: (request) => call('POST', '/v1/plans/resolve', request),
    readPlan: (request) => call('POST', '/v1/plans/read', request),
    plans: () => call('GET', '/v1/plans'),
    plan: (plan) => call('GET', `/v1/plans/${encodeURIComponent(plan)}`),
    planRecipients: (request) => call('POST', '/v1/plans/recipients', request),
    requestRestore: (request) => call('POST', '/v1/restores/request', request),
    restoreGrants: () => call('GET', '/v1/restores'),
    grantMaterial: (request) => call('POST', '/v1/restores/material', request),
    readPack: (request) => call('POST', '/v1/restores/pack', request),
    restoreGranted: (request) => stream('/v1/restores/run', request),
    keepFacts: async (request) => {
      await call('POST', '/v1/facts', request);
    },
    shutdown: async () => {
      await call('POST', '/v1/shutdown');
    },
  };
}

function queryOf(filter: SnapshotFilter): string {
  const query = new URLSearchParams();
  if (filter.dataset !== undefined) query.append('dataset', filter.dataset);
  for (const tag of filter.tags ?? []) query.append('tag', tag);
  if (filter.text !== undefined) query.append('text', filter.text);
  if (filter.page !== undefined) {
    query.append('skip', String(filter.page.skip));
    query.append('count', String(filter.page.count));
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
}

async function receive<T>(exchange: Exchange, socketPath: string): Promise<T> {
  const response = await exchange.response;
  let text: string;
  try {
    text = await textOf(response);
  } catch (error) {
    throw lostConnection(socketPath, error);
  }
  return JSON.parse(text) as T;
}
