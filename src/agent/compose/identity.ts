import type { StateDirectory } from '../../adapters/fs/state-directory.ts';
import { concat } from '../../base/bytes.ts';
import { publicKeyOf } from '../../core/crypto/signature.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { AgentKey, PeerKey } from '../../core/ids.ts';
import { idOf } from '../../core/ids.ts';
import type { Entropy } from '../../ports/runtime.ts';

/** Files of the state directory. */
export const stateFiles = {
  genesis: 'genesis',
  identity: 'identity.key',
  operator: 'operator.key',
  agent: 'agent.json',
} as const;

/** An agent's two keys: one proves who is on a connection, the other signs statements. */
export type Identity = {
  readonly transportSecret: Uint8Array;
  readonly statementSecret: Uint8Array;
  readonly peerKey: PeerKey;
  readonly agentKey: AgentKey;
};

export function newIdentity(entropy: Entropy): Identity {
  return identityOf(entropy.bytes(32), entropy.bytes(32));
}

function identityOf(transportSecret: Uint8Array, statementSecret: Uint8Array): Identity {
  return {
    transportSecret,
    statementSecret,
    peerKey: idOf<PeerKey>(publicKeyOf(transportSecret)),
    agentKey: idOf<AgentKey>(publicKeyOf(statementSecret)),
  };
}

export async function saveIdentity(state: StateDirectory, identity: Identity): Promise<void> {
  const secret = concat([identity.transportSecret, identity.statementSecret]);
  await state.writeSecret(stateFiles.identity, secret);
}

/**
 * Keys to join with. Those of a join with the same invite that was cut off: its issuer knows this host by them, and
 * lets nobody else in with it.
 */
export async function joiningIdentity(
  state: StateDirectory,
  invite: PeerKey,
  entropy: Entropy,
): Promise<Identity> {
  if ((await cutJoin(state)) === invite && state.has(stateFiles.identity)) {
    return readIdentity(state);
  }
  const identity = newIdentity(entropy);
  await saveIdentity(state, identity);
  await state.writeJson(stateFiles.agent, { listen: [], joining: invite });
  return identity;
}

/** The invite with which joining has begun, and not ended. */
async function cutJoin(state: StateDirectory): Promise<string | undefined> {
  const file = (await state.readJson(stateFiles.agent)) as { joining?: string } | undefined;
  return file?.joining;
}

/** @throws HoldfastError no-cluster | corrupt */
export async function loadIdentity(state: StateDirectory): Promise<Identity> {
  if (!state.has(stateFiles.genesis) && (await cutJoin(state)) !== undefined) {
    throw new HoldfastError('no-cluster', `joining was cut off before ${state.path} was complete`, {
      next: `holdfast join -s ${state.path}, with the same code and --name as before`,
    });
  }
  state.requireCluster(stateFiles.genesis);
  return readIdentity(state);
}

async function readIdentity(state: StateDirectory): Promise<Identity> {
  const secret = await state.readSecret(stateFiles.identity);
  if (secret.length !== 64) {
    throw new HoldfastError('corrupt', `${state.path}/${stateFiles.identity} is not 64 bytes`, {
      next: 'restore the file, or join the cluster again with a new invite',
    });
  }
  return identityOf(secret.slice(0, 32), secret.slice(32));
}
