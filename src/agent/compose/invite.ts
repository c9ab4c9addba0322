import { openStateDirectory } from '../../adapters/fs/state-directory.ts';
import { systemClock, systemEntropy } from '../../adapters/system/runtime.ts';
import { fromHex } from '../../base/bytes.ts';
import type { InviteOptions, InviteReport } from '../../cli/backend.ts';
import { publicKeyOf } from '../../core/crypto/signature.ts';
import { HoldfastError } from '../../core/errors.ts';
import { sealEnvelope } from '../../core/format/envelope.ts';
import { clusterIdOf } from '../../core/format/genesis.ts';
import { formatInvite, inviteSecret } from '../../core/format/invite-code.ts';
import { isRole, type Role } from '../../core/format/records.ts';
import { clusterStream, encodeStatement } from '../../core/format/statement.ts';
import { type AgentKey, idOf, type PeerKey } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import { generation } from '../../core/protocol/opened-statement.ts';
import type { AgentApi } from '../api.ts';
import { stateFiles } from './identity.ts';
import { submitAsOperator } from './operator.ts';
import { operatorSecrets } from './operator-keys.ts';

/** Roles of a member for which none were named. */
export const defaultRoles: readonly Role[] = ['source', 'storage', 'voter'];

function rolesOf(names: readonly string[]): readonly Role[] {
  for (const name of names) {
    if (!isRole(name)) {
      throw new HoldfastError('usage', `there is no role "${name}"`, {
        next: 'roles: source storage voter witness relay auditor custodian',
      });
    }
  }
  return names.length === 0 ? defaultRoles : (names as readonly Role[]);
}

/**
 * Signs an invite with the operators' keys, hands it to the running agent, and makes the code. With fewer keys than must
 * sign it becomes a proposal, and the code is good once the others have signed.
 */
export async function invite(options: InviteOptions, api: AgentApi): Promise<InviteReport> {
  const entropy = systemEntropy();
  const state = await openStateDirectory(options.stateDir, { create: false });
  state.requireCluster(stateFiles.genesis);
  const secrets = await operatorSecrets(options.stateDir, options.operatorKeyFiles);
  const operatorSecret = secrets[0] as Uint8Array;
  const operator = idOf<AgentKey>(publicKeyOf(operatorSecret));
  const cluster = clusterIdOf(await state.readSecret(stateFiles.genesis));
  if (options.ttlMs <= 0 || options.ttlMs > limits.inviteTtlMaxMs) {
    throw new HoldfastError('usage', 'an invite lives at most 24 h', {
      next: 'holdfast invite --ttl 24h ...',
    });
  }
  const self = await api.identity();
  const head = await api.operatorHead(operator);
  const secret = entropy.bytes(32);
  const nowMs = systemClock().nowMs();
  const notAfterMs = nowMs + options.ttlMs;
  const roles = rolesOf(options.roles);
  const { site, region } = options;
  const invited = {
    inviteKey: idOf<PeerKey>(publicKeyOf(inviteSecret(secret))),
    ...{ site, region, roles, notAfterMs, issuer: self.agentKey as AgentKey },
  };
  const contacts = [{ peer: self.peerKey as PeerKey, multiaddrs: self.addresses }];
  const code = formatInvite({ cluster, secret, site, region, roles, notAfterMs, contacts });
  const report = { code, site, region, roles: [...roles], expiresMs: notAfterMs };
  const isKnown = ({ key }: { key: string }) => secrets.some((one) => key === keyOf(one));
  const { operators, threshold } = await api.operators();
  if (operators.filter(isKnown).length < threshold) {
    const body = { kind: 'invite', ...invited } as const;
    const { proposal, outcome, reason } = await submitAsOperator({ ...options, body }, api);
    if (proposal !== undefined) return { ...report, proposal };
    throw new HoldfastError('not-permitted', `the control log refused it: ${reason ?? outcome}`, {
      next: 'holdfast operator list',
    });
  }
  const payload = encodeStatement({
    writer: operator,
    stream: clusterStream,
    sequence: head.sequence + 1,
    previous: fromHex(head.hash) as Uint8Array,
    timeMs: nowMs,
    body: { kind: 'invite', ...invited },
  });
  const { bytes } = sealEnvelope({
    type: 'statement',
    cluster,
    generation,
    payload,
    secrets,
  });
  await api.submit(Buffer.from(bytes).toString('base64'));
  return report;
}

function keyOf(secret: Uint8Array): string {
  return idOf<AgentKey>(publicKeyOf(secret));
}
