import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveDashboard } from '../../adapters/control/dashboard-server.ts';
import type { StateDirectory } from '../../adapters/fs/state-directory.ts';
import { openStateDirectory } from '../../adapters/fs/state-directory.ts';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import { agentMessages } from '../../core/log-messages/agent.ts';
import type { Log } from '../../ports/runtime.ts';
import type { AgentApi } from '../api.ts';
import type { Config } from '../config.ts';
import { kitProcesses } from './kit-process.ts';

const tokenFile = 'dashboard.token';
const placeFile = 'dashboard.json';
const assets = fileURLToPath(new URL('../../dashboard', import.meta.url));
const runbooks = fileURLToPath(new URL('../../../docs/runbooks', import.meta.url));

type Parts = {
  readonly state: StateDirectory;
  readonly config: Config;
  readonly agent: string;
  readonly api: AgentApi;
  readonly log: Log;
};

/** Serves the dashboard, where it is wanted. Never fails: backups do not wait for a page. */
export async function openDashboard(parts: Parts): Promise<AsyncDisposable> {
  const { state, config, log } = parts;
  const none = { [Symbol.asyncDispose]: () => Promise.resolve() };
  rmSync(join(state.path, placeFile), { force: true });
  if (!config.dashboard.enabled) return none;
  try {
    const server = await serveSomewhere(parts, await tokenOf(state));
    await state.writeJson(placeFile, { url: server.url, pid: process.pid });
    log.log('info', agentMessages.dashboardServed, { url: server.url });
    return server;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.log('error', agentMessages.dashboardFailed, { reason });
    return none;
  }
}

/** At the wanted port; at a free one while another agent of this host has it. */
async function serveSomewhere(
  { state, config, api, agent, log }: Parts,
  token: string,
): Promise<Awaited<ReturnType<typeof serveDashboard>>> {
  const { listen, hosts } = config.dashboard;
  const at = listen.lastIndexOf(':');
  const host = listen.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  const kit = kitProcesses(state.path);
  const serve = (port: number) =>
    serveDashboard({
      ...{ listen: { host, port }, hosts, token, agent, assets, runbooks },
      ...{ api, kit, log },
    });
  try {
    return await serve(Number(listen.slice(at + 1)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return serve(0);
  }
}

/** Made when it is missing or damaged: an empty one would let everybody in. */
async function tokenOf(state: StateDirectory): Promise<string> {
  const stored = state.has(tokenFile) ? await state.readSecret(tokenFile) : undefined;
  const known = stored === undefined ? undefined : fromUtf8(stored)?.trim();
  if (known !== undefined && /^[\w-]{43}$/.test(known)) return known;
  const fresh = randomBytes(32).toString('base64url');
  await state.writeSecret(tokenFile, utf8(fresh));
  return fresh;
}

/**
 * The address of the running agent's dashboard, and the link that opens it. The token stands in the fragment, which browsers
 * send nowhere. @throws HoldfastError not-found | agent-not-running
 */
export async function dashboardLink(
  { stateDir }: { stateDir: string },
  agent: AgentApi,
): Promise<{ url: string; link: string }> {
  await agent.identity();
  const state = await openStateDirectory(stateDir, { create: false });
  const place = (await state.readJson(placeFile)) as { url: string } | undefined;
  if (place === undefined) {
    throw new HoldfastError('not-found', 'the agent of this host serves no dashboard', {
      next: 'set dashboard.enabled in the configuration to true, and start the agent again; its log says what else is wrong',
    });
  }
  return { url: place.url, link: `${place.url}#token=${await tokenOf(state)}` };
}
