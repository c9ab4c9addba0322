import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentOptions, Backend, ConfigOptions } from '../cli/backend.ts';
import { HoldfastError } from '../core/errors.ts';
import type { AgentApi } from './api.ts';
import type { Config } from './config.ts';
import { locateConfig } from './config-place.ts';
import { connectControl } from './control-client.ts';

const startWithinMs = 20_000;

// Each is loaded when it is called: a restore must not wait for the code of the agent.
const cluster = () => import('./compose/cluster-setup.ts');
const decree = () => import('./compose/decree-document.ts');
const escrow = () => import('./compose/escrow.ts');

/** What stands behind the commands on a real machine. */
export function createBackend(): Backend {
  return {
    initCluster: async (options) =>
      (await cluster()).initCluster(options, (await configOf(options)).config),
    invite: async (options) =>
      (await import('./compose/invite.ts')).invite(options, controlOf(options)),
    submitAsOperator: async (options) =>
      (await import('./compose/operator.ts')).submitAsOperator(options, controlOf(options)),
    changeKeys: async (options) =>
      (await import('./compose/key-ceremony.ts')).changeKeys(options, controlOf(options)),
    provePolicy: async (options) =>
      (await import('./compose/policy-proof.ts')).provePolicy(options, controlOf(options)),
    makeOperatorKey: async (file) =>
      (await import('./compose/operator-keys.ts')).makeOperatorKey(file),
    splitKit: async (options) => (await escrow()).splitKit(options, controlOf(options)),
    combineKit: async (shares) => (await escrow()).combineKit(shares),
    proveShare: async (options) => (await escrow()).proveShare(options.text, controlOf(options)),
    decreeDocument: async (draft) => (await decree()).decreeDocument(draft),
    readDecree: async (text) => (await decree()).readDecree(text),
    signDecree: async (options) => (await decree()).signDecree(options),
    decreeEnvelope: async (text) => (await decree()).decreeEnvelope(text),
    join: async (options) => (await cluster()).join(options, (await configOf(options)).config),
    runAgent: async (options, { signal }) => {
      const { config: configured } = await configOf(options);
      const { cold } = configured;
      const config =
        options.cold === undefined
          ? configured
          : { ...configured, cold: { ...cold, store: options.cold } };
      const { runAgent } = await import('./compose/run-agent.ts');
      return runAgent(
        {
          stateDir: options.stateDir,
          config,
          logLevel: options.logLevel ?? config.log.level,
          bandwidth: options.bandwidth ?? {},
        },
        signal,
      );
    },
    startAgent,
    openRecovery: async (options) => (await import('./compose/recovery.ts')).openRecovery(options),
    sandboxDrill: async function* (request, { signal }) {
      const { sandboxDrill } = await import('./compose/sandbox/sandbox-drill.ts');
      yield* sandboxDrill(request, signal);
    },
    proveDrills: async (options) =>
      (await import('./compose/drill-evidence.ts')).proveDrills(options),
    grantRestore: async (options) =>
      (await import('./compose/restore-grant.ts')).grantRestore(options, controlOf(options)),
    openPlanKeys: async (options) =>
      (await import('./compose/plan-keys.ts')).openPlanKeys(options, controlOf(options)),
    control: (stateDir) => connectControl(socketOf(stateDir)),
    dashboard: async (options) =>
      (await import('./compose/dashboard.ts')).dashboardLink(options, controlOf(options)),
    repairIndex: async ({ stateDir }) =>
      (await import('./compose/repair-index.ts')).repairIndex(stateDir),
    checkTarget: async (request) =>
      (await import('./compose/store-check.ts')).checkTarget(
        request,
        (await configOf(request)).config,
      ),
    demo: async (options, { signal }) =>
      (await import('./compose/demo.ts')).runDemo(options, signal),
    loadConfig: configOf,
  };
}

function controlOf({ stateDir }: { readonly stateDir: string }): AgentApi {
  return connectControl(socketOf(stateDir));
}

function socketOf(stateDir: string): string {
  return join(stateDir, 'control.sock');
}

async function configOf(
  options: ConfigOptions & { configFile?: string },
): Promise<{ file: string | undefined; config: Config }> {
  const { loadConfig } = await import('./config.ts');
  const given = options.configFile ?? options.file;
  const asked = given === undefined ? {} : { file: given };
  const file = locateConfig({ stateDir: options.stateDir, ...asked });
  return { file, config: loadConfig(file) };
}

/** An agent that outlives this command; its log goes to agent.log in the state directory. */
async function startAgent(options: AgentOptions): Promise<{ pid: number }> {
  const logFile = join(options.stateDir, 'agent.log');
  const log = openSync(logFile, 'a', 0o600);
  const main = fileURLToPath(new URL('../cli/launcher.mjs', import.meta.url));
  const config = options.configFile === undefined ? [] : ['-c', options.configFile];
  const child = spawn(process.execPath, [main, 'agent', '-s', options.stateDir, ...config], {
    detached: true,
    stdio: ['ignore', 'ignore', log],
  });
  closeSync(log);
  const endMs = Date.now() + startWithinMs;
  const api = connectControl(socketOf(options.stateDir));
  while (Date.now() < endMs && child.exitCode === null) {
    const isUp = await api.identity().then(
      () => true,
      () => false,
    );
    if (isUp && child.pid !== undefined) {
      child.unref();
      return { pid: child.pid };
    }
    await new Promise((resume) => setTimeout(resume, 100));
  }
  throw new HoldfastError('failed', 'the agent did not start', { next: `read ${logFile}` });
}
