import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentOptions, Backend, ConfigOptions } from '../cli/backend.ts';
import { HoldfastError } from '../core/errors.ts';
import { initCluster, join as joinCluster } from './compose/cluster-setup.ts';
import { invite } from './compose/invite.ts';
import {
  decreeDocument,
  decreeEnvelope,
  readDecree,
  signDecree,
} from './compose/decree-document.ts';
import { runDemo } from './compose/demo.ts';
import { proveDrills } from './compose/drill-evidence.ts';
import { combineKit, proveShare, splitKit } from './compose/escrow.ts';
import { changeKeys } from './compose/key-ceremony.ts';
import { submitAsOperator } from './compose/operator.ts';
import { makeOperatorKey } from './compose/operator-keys.ts';
import { openPlanKeys } from './compose/plan-keys.ts';
import { provePolicy } from './compose/policy-proof.ts';
import { openRecovery } from './compose/recovery.ts';
import { repairIndex } from './compose/repair-index.ts';
import { runAgent } from './compose/run-agent.ts';
import type { Config } from './config.ts';
import { loadConfig, locateConfig } from './config.ts';
import { connectControl } from './control-client.ts';

const startWithinMs = 20_000;

/** What stands behind the commands on a real machine. */
export function createBackend(): Backend {
  return {
    initCluster: (options) => initCluster(options, configOf(options).config),
    invite: (options) => invite(options, connectControl(socketOf(options.stateDir))),
    submitAsOperator: (options) =>
      submitAsOperator(options, connectControl(socketOf(options.stateDir))),
    changeKeys: (options) => changeKeys(options, connectControl(socketOf(options.stateDir))),
    provePolicy: (options) => provePolicy(options, connectControl(socketOf(options.stateDir))),
    makeOperatorKey,
    splitKit: (options) => splitKit(options, connectControl(socketOf(options.stateDir))),
    combineKit: (shares) => combineKit(shares),
    proveShare: ({ stateDir, text }) => proveShare(text, connectControl(socketOf(stateDir))),
    decreeDocument: async (draft) => decreeDocument(draft),
    readDecree: async (text) => readDecree(text),
    signDecree,
    decreeEnvelope: async (text) => decreeEnvelope(text),
    join: (options) => joinCluster(options, configOf(options).config),
    runAgent: (options, { signal }) => {
      const { config } = configOf(options);
      return runAgent(
        { stateDir: options.stateDir, config, logLevel: options.logLevel ?? config.log.level },
        signal,
      );
    },
    startAgent,
    openRecovery,
    proveDrills,
    openPlanKeys: (options) => openPlanKeys(options, connectControl(socketOf(options.stateDir))),
    control: (stateDir) => connectControl(socketOf(stateDir)),
    repairIndex: ({ stateDir }) => repairIndex(stateDir),
    demo: (options, { signal }) => runDemo(options, signal),
    loadConfig: (options) => Promise.resolve(configOf(options)),
  };
}

function socketOf(stateDir: string): string {
  return join(stateDir, 'control.sock');
}

function configOf(options: ConfigOptions & { configFile?: string }): {
  file: string | undefined;
  config: Config;
} {
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
