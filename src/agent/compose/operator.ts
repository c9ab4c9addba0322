import { readFile } from 'node:fs/promises';
import type { StateDirectory } from '../../adapters/fs/state-directory.ts';
import { openStateDirectory } from '../../adapters/fs/state-directory.ts';
import { systemClock, systemEntropy } from '../../adapters/system/runtime.ts';
import { fromHex, toHex } from '../../base/bytes.ts';
import type { OperatorOptions } from '../../cli/backend.ts';
import { HoldfastError } from '../../core/errors.ts';
import { sealCommand } from '../../core/format/control-envelope.ts';
import type { CommandId, ControlBody } from '../../core/format/control-records.ts';
import { clusterIdOf } from '../../core/format/genesis.ts';
import type { AgentApi } from '../api.ts';
import { noQuorum } from '../coordinator-quorum.ts';
import type { CommandReport } from '../coordinator-types.ts';
import { stateFiles } from './identity.ts';

/**
 * Signs a command here, with the operators' keys, and has the running agent put it into the control log: the
 * agent never sees a key. @throws HoldfastError key-needed | wrong-key | no-quorum | bad-encoding
 */
export async function submitAsOperator(
  options: OperatorOptions & { readonly body: ControlBody },
  api: AgentApi,
): Promise<CommandReport> {
  const secrets = await operatorSecrets(options.stateDir, options.operatorKeyFiles);
  const state = await openStateDirectory(options.stateDir, { create: false });
  state.requireCluster(stateFiles.genesis);
  const report = await api.coordinator();
  // Else the agent would wait for what cannot come. While somebody is being elected, waiting helps.
  if (!report.isConfirmed && report.votersReachable < report.quorum) throw noQuorum(report);
  const { bytes } = sealCommand({
    command: {
      id: toHex(systemEntropy().bytes(16)) as CommandId,
      timeMs: systemClock().nowMs(),
      body: options.body,
    },
    cluster: clusterIdOf(await state.readSecret(stateFiles.genesis)),
    generation: report.generation,
    secrets,
  });
  return api.submitCommand({ envelope: Buffer.from(bytes).toString('base64') });
}

/** Of the files, which need no state directory, else of the state directory. @throws HoldfastError key-needed | wrong-key */
export async function operatorSecrets(
  stateDir: string,
  files: readonly string[],
): Promise<Uint8Array[]> {
  if (files.length > 0) return Promise.all(files.map(secretIn));
  const state = await openStateDirectory(stateDir, { create: false });
  state.requireCluster(stateFiles.genesis);
  return [await readOperatorSecret(state)];
}

/**
 * An operator's signing key, 32 bytes: of the file, else of the state directory.
 * @throws HoldfastError key-needed | wrong-key
 */
export async function readOperatorSecret(
  state: StateDirectory,
  file?: string,
): Promise<Uint8Array> {
  if (file === undefined) {
    if (state.has(stateFiles.operator)) return state.readSecret(stateFiles.operator);
    throw new HoldfastError('key-needed', 'this needs an operator key, and none is on this host', {
      next: 'add --operator-key FILE, or run it on the host where the cluster was made',
    });
  }
  return secretIn(file);
}

async function secretIn(file: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(await readKeyFile(file));
  const text = new TextDecoder().decode(bytes).trim();
  const secret = bytes.length === 32 ? bytes : fromHex(text);
  if (secret?.length !== 32) throw new HoldfastError('wrong-key', `${file} is not an operator key`);
  return secret;
}

async function readKeyFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('io-error', `cannot read the operator key: ${reason}`, { cause });
  }
}
