import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { agentMessages } from '../../core/log-messages/agent.ts';
import type { AgentApi } from '../../agent/api.ts';
import type { Log } from '../../ports/runtime.ts';
import { writeEvents } from './event-stream.ts';
import { failureOf, isUnexpected, rethrowBug } from './failure.ts';
import { addAlerts } from './alert-routes.ts';
import { addDrills, runDrillBody } from './drill-routes.ts';
import { addGrants } from './grant-routes.ts';
import { addKeys } from './key-routes.ts';
import {
  auditBody,
  backupBody,
  checkBody,
  checked,
  decreeBody,
  demoteBody,
  factsBody,
  grantedRestoreBody,
  layoutPlanBody,
  noBody,
  noQuery,
  operatorParams,
  peerParams,
  planParams,
  readPlanBody,
  recipientsBody,
  resolvePlanBody,
  snapshotsQuery,
  statementBody,
  validateBody,
  vetoBody,
  stepDownBody,
} from './requests.ts';
import { addKeeping } from './keeping-routes.ts';
import { bindSocketFile } from './socket-file.ts';
import { addUpkeep } from './upkeep-routes.ts';

// Exclude lists are the longest thing that anyone sends.
const bodySizeMax = 4 * 1024 * 1024;

/**
 * Serves the agent's API on a Unix socket until disposed. Requests still under way are then cut off and
 * cancelled. @throws HoldfastError state-in-use when another agent answers at the path.
 */
export async function serveControl(options: {
  socketPath: string;
  api: AgentApi;
  log: Log;
}): Promise<AsyncDisposable> {
  const { app, streams } = controlApp(options);
  const socketFile = await bindSocketFile(options.socketPath, (path) => app.listen({ path }));
  return {
    [Symbol.asyncDispose]: async () => {
      await socketFile[Symbol.asyncDispose]();
      await app.close();
      await Promise.all(streams);
    },
  };
}

/** Every route of the API, listening nowhere yet. Whoever closes it waits for the streams then. */
export function controlApp({ api, log }: { api: AgentApi; log: Log }): {
  app: FastifyInstance;
  streams: Set<Promise<void>>;
} {
  const app = fastify({ bodyLimit: bodySizeMax, forceCloseConnections: true });
  const streams = new Set<Promise<void>>();
  handleFailures(app, log);
  addReports(app, api);
  addPlans(app, api);
  addKeeping(app, api);
  addUpkeep(app, api);
  addKeys(app, api);
  addDrills(app, api);
  addAlerts(app, api);
  addGrants(app, api);
  addActions(app, api, log);
  addStreams(app, api, { log, streams });
  return { app, streams };
}

function handleFailures(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error, request, reply) => {
    reportUnexpected(log, error, request.url);
    const { status, body } = failureOf(error);
    void reply.code(status).send(body);
    rethrowBug(error);
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `the agent knows no ${request.method} ${request.url}: are agent and command of one version?`;
    void reply.code(404).send({ error: { code: 'not-found', message } });
  });
}

function reportUnexpected(log: Log, error: unknown, url: string): void {
  if (!isUnexpected(error)) return;
  const stack = error instanceof Error ? error.stack : String(error);
  log.log('error', agentMessages.controlRequestFailed, { url, stack });
}

function addReports(app: FastifyInstance, api: AgentApi): void {
  app.addHook('preValidation', async (request) => {
    if (request.routeOptions.url !== '/v1/snapshots') checked(noQuery, request.query, 'the query');
  });
  app.get('/v1/identity', () => api.identity());
  app.get('/v1/status', () => api.status());
  app.get('/v1/peers', () => api.peers());
  app.get('/v1/coordinator', () => api.coordinator());
  app.get('/v1/decree', () => api.decree());
  app.get('/v1/layout', () => api.layout());
  app.get('/v1/datasets', () => api.datasets());
  app.get('/v1/policy', () => api.policy());
  app.get('/v1/log-proof', () => api.logProof());
  app.get('/v1/operators', () => api.operators());
  app.get('/v1/proposals', () => api.proposals());
  app.get('/v1/peers/removed', () => api.removedPeers());
  app.get('/v1/tripwires', () => api.tripwires());
  app.get('/v1/audit', () => api.auditHead());
  app.get('/v1/plans', () => api.plans());
  app.get('/v1/plans/:plan', (request) =>
    api.plan(checked(planParams, request.params, 'the path').plan),
  );
  app.get('/v1/snapshots', (request) => {
    const query = checked(snapshotsQuery, request.query, 'the query');
    const { dataset, tag, text, skip = 0, count } = query;
    return api.snapshots({
      ...(dataset !== undefined && { dataset }),
      ...(text !== undefined && { text }),
      ...(tag && { tags: tag }),
      ...(count !== undefined && { page: { skip, count } }),
    });
  });
  app.get('/v1/operators/:key/head', (request) =>
    api.operatorHead(checked(operatorParams, request.params, 'the path').key),
  );
}

/** What is asked for by a body, and changes nothing here but what is kept for others. */
function addPlans(app: FastifyInstance, api: AgentApi): void {
  app.post('/v1/audit/entries', (request) =>
    api.auditEntries(checked(auditBody, request.body, 'the body')),
  );
  app.post('/v1/audit/verify', (request) => {
    checked(noBody, request.body, 'the body');
    return api.verifyAudit();
  });
  app.post('/v1/plans/resolve', (request) =>
    api.resolvePlan(checked(resolvePlanBody, request.body, 'the body')),
  );
  app.post('/v1/plans/read', (request) =>
    api.readPlan(checked(readPlanBody, request.body, 'the body')),
  );
  app.post('/v1/plans/recipients', (request) =>
    api.planRecipients(checked(recipientsBody, request.body, 'the body')),
  );
  app.post('/v1/facts', async (request) => {
    await api.keepFacts(checked(factsBody, request.body, 'the body'));
    return {};
  });
}

function addActions(app: FastifyInstance, api: AgentApi, log: Log): void {
  app.post('/v1/peers/:peer/ping', (request) => {
    checked(noBody, request.body, 'the body');
    return api.ping(checked(peerParams, request.params, 'the path').peer);
  });
  app.post('/v1/statements', (request) =>
    api.submit(checked(statementBody, request.body, 'the body').envelope),
  );
  app.post('/v1/coordinator/step-down', (request) => {
    const { to } = checked(stepDownBody, request.body, 'the body');
    return api.stepDown(to === undefined ? {} : { to });
  });
  app.post('/v1/decree/prepare', (request) =>
    api.prepareDecree(checked(decreeBody, request.body, 'the body')),
  );
  app.post('/v1/decree/announce', (request) =>
    api.announceDecree(checked(statementBody, request.body, 'the body')),
  );
  app.post('/v1/layout/plan', (request) =>
    api.planLayout(checked(layoutPlanBody, request.body, 'the body')),
  );
  app.post('/v1/proposals/veto', (request) =>
    api.veto(checked(vetoBody, request.body, 'the body')),
  );
  app.post('/v1/datasets/demote', (request) =>
    api.demote(checked(demoteBody, request.body, 'the body')),
  );
  app.post('/v1/commands', (request) =>
    api.submitCommand(checked(statementBody, request.body, 'the body')),
  );
  app.post('/v1/index/rebuild', (request) => {
    checked(noBody, request.body, 'the body');
    return api.rebuildIndex();
  });
  app.post('/v1/shutdown', (request, reply) => {
    checked(noBody, request.body, 'the body');
    // Answered first: stopping closes this server, which would wait for the request that asked for it.
    reply.raw.once('close', () => {
      api.shutdown().catch((error: unknown) => reportUnexpected(log, error, request.url));
    });
    return reply.code(202).send({});
  });
}

export type Streams = { readonly log: Log; readonly streams: Set<Promise<void>> };

function addStreams(app: FastifyInstance, api: AgentApi, shared: Streams): void {
  app.post('/v1/backup', (request, reply) =>
    stream(api.backup(checked(backupBody, request.body, 'the body')), reply, shared),
  );
  app.post('/v1/check', (request, reply) =>
    stream(api.check(checked(checkBody, request.body, 'the body')), reply, shared),
  );
  app.post('/v1/validate', (request, reply) =>
    stream(api.validate(checked(validateBody, request.body, 'the body')), reply, shared),
  );
  app.post('/v1/drills/run', (request, reply) =>
    stream(api.runDrill(checked(runDrillBody, request.body, 'the body')), reply, shared),
  );
  app.post('/v1/restores/run', (request, reply) => {
    const order = checked(grantedRestoreBody, request.body, 'the body');
    return stream(api.restoreGranted(order), reply, shared);
  });
}

/** Writes events until they end, or the client goes. */
export async function stream(
  events: AsyncIterable<object>,
  reply: FastifyReply,
  { log, streams }: Streams,
): Promise<void> {
  const writing = writeEvents(events, reply.raw);
  const settled = writing.then(
    () => undefined,
    () => undefined,
  );
  streams.add(settled);
  void settled.then(() => streams.delete(settled));
  const failure = await writing;
  if (failure !== undefined) {
    reportUnexpected(log, failure, reply.request.url);
    rethrowBug(failure);
  }
  // The response was written past the framework, which must not send one of its own.
  void reply.hijack();
}
