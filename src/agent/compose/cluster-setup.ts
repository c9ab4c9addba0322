import { ageSealer } from '../../adapters/age/sealer.ts';
import { createControlJournal } from '../../adapters/fs/control-journal.ts';
import { openFactStore } from '../../adapters/fs/fact-store.ts';
import type { StateDirectory } from '../../adapters/fs/state-directory.ts';
import { openStateDirectory } from '../../adapters/fs/state-directory.ts';
import { openStatementLog } from '../../adapters/fs/statement-log.ts';
import { openNetwork } from '../../adapters/libp2p/node.ts';
import { hostLabel } from '../../adapters/system/host.ts';
import { systemClock, systemEntropy } from '../../adapters/system/runtime.ts';
import { fromHex } from '../../base/bytes.ts';
import type { InitOptions, InitReport, JoinOptions, JoinReport } from '../../cli/backend.ts';
import { isAcceptableKey, publicKeyOf } from '../../core/crypto/signature.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { clusterIdOf, decodeGenesis, encodeGenesis } from '../../core/format/genesis.ts';
import { inviteSecret, parseInvite } from '../../core/format/invite-code.ts';
import type { AgentDescriptor, Genesis, Operator } from '../../core/format/records.ts';
import { formatKit, recoverySecret } from '../../core/format/recovery-kit.ts';
import type { AgentKey, PeerKey } from '../../core/ids.ts';
import { idOf } from '../../core/ids.ts';
import { encodePolicy } from '../../core/policy/policy-text.ts';
import { initialLog } from '../../services/control/initial-log.ts';
import { joinCluster } from '../../services/join.ts';
import { Ledger } from '../../services/ledger.ts';
import type { Entropy } from '../../ports/runtime.ts';
import type { Config } from '../config.ts';
import { defaultRoles } from './invite.ts';
import { joiningIdentity, newIdentity, saveIdentity, stateFiles } from './identity.ts';
import { dialable, settle } from './listen-address.ts';
import { quietLog } from './quiet-log.ts';

async function emptyState(path: string): Promise<StateDirectory> {
  const state = await openStateDirectory(path);
  if (state.has(stateFiles.genesis)) {
    throw new HoldfastError('state-exists', `${path} already belongs to a cluster`, {
      next: `holdfast status -s ${path}, or choose another directory with -s`,
    });
  }
  return state;
}

/** A new cluster with this host as its founder, the first operator, and the recovery kit. */
export async function initCluster(options: InitOptions, config: Config): Promise<InitReport> {
  const entropy = systemEntropy();
  const sealer = ageSealer();
  const state = await emptyState(options.stateDir);
  await using _ = state.lock();
  const identity = newIdentity(entropy);
  const kit = await sealer.generate();
  const listen = await settle(options.listen.length > 0 ? options.listen : config.listen);
  const name = options.name ?? hostLabel();
  const founder: AgentDescriptor = {
    name,
    site: options.site,
    region: options.region,
    roles: defaultRoles,
    transportKey: identity.peerKey,
    statementKey: identity.agentKey,
  };
  const nowMs = systemClock().nowMs();
  const clusterName = options.cluster ?? `${options.site}-cluster`;
  const surviveSites = options.surviveSites ?? 2;
  const people = operatorsOf(options, entropy);
  const genesis = encodeGenesis({
    name: clusterName,
    salt: entropy.bytes(32),
    operators: people.operators,
    operatorThreshold: people.threshold,
    recoveryRecipient: kit.recipient,
    recoveryKey: idOf<PeerKey>(publicKeyOf(recoverySecret(kit.identity))),
    policy: {
      version: 1,
      surviveSites,
      ...(options.policy === undefined ? {} : { document: encodePolicy(options.policy) }),
    },
    ...custodyOf(options),
    founder,
    createdMs: nowMs,
    ...(options.byzantineVoters === undefined ? {} : { byzantineVoters: options.byzantineVoters }),
  });
  const addresses = told(config, listen);
  const kitText = formatKit({
    clusterName,
    clusterId: clusterIdOf(genesis),
    identity: kit.identity,
    addresses: [{ peer: identity.peerKey, multiaddrs: addresses }],
    createdMs: nowMs,
  });
  await saveIdentity(state, identity);
  if (people.secret !== undefined) await state.writeSecret(stateFiles.operator, people.secret);
  await state.writeJson(stateFiles.agent, { listen });
  await createControlJournal(state.paths.control, initialLog(identity.agentKey));
  // Last: a state directory with a genesis is complete.
  await state.writeSecret(stateFiles.genesis, genesis);
  return {
    clusterId: clusterIdOf(genesis),
    clusterName,
    name,
    site: options.site,
    region: options.region,
    addresses,
    surviveSites,
    operators: people.operators.map((one) => one.name),
    threshold: people.threshold,
    kitText,
    ...(people.secret === undefined
      ? {}
      : { operatorKeyFile: `${state.path}/${stateFiles.operator}` }),
  };
}

type People = {
  readonly operators: readonly Operator[];
  readonly threshold: number;
  /** Of the one operator whose key is made here. */
  readonly secret?: Uint8Array;
};

/** @throws HoldfastError wrong-key */
function operatorsOf({ operators: given }: InitOptions, entropy: Entropy): People {
  if (given === undefined) {
    const secret = entropy.bytes(32);
    const key = idOf<AgentKey>(publicKeyOf(secret));
    return { operators: [{ name: 'first operator', key, recipient: '' }], threshold: 1, secret };
  }
  const operators = given.named.map(({ name, key }) => {
    if (!isAcceptableKey(fromHex(key) as Uint8Array)) {
      throw new HoldfastError('wrong-key', `the key of "${name}" is no acceptable key`, {
        next: `${name} runs: holdfast operator key -o FILE`,
      });
    }
    return { name, key: key as AgentKey, recipient: '' };
  });
  return { operators, threshold: given.threshold };
}

function custodyOf({ custody }: InitOptions): Pick<Genesis, 'custody'> {
  if (custody === undefined) return {};
  const custodians = custody.custodians.map(({ name, recipient = '' }) => ({ name, recipient }));
  return { custody: { threshold: custody.threshold, custodians } };
}

/** Redeems an invite: this host becomes a member, with keys that it makes here. */
export async function join(options: JoinOptions, config: Config): Promise<JoinReport> {
  const code = parseInvite(options.code);
  const clock = systemClock();
  const state = await emptyState(options.stateDir);
  await using _ = state.lock();
  const secret = inviteSecret(code.secret);
  const inviteKey = idOf<PeerKey>(publicKeyOf(secret));
  const identity = await joiningIdentity(state, inviteKey, systemEntropy());
  const descriptor: AgentDescriptor = {
    name: options.name ?? hostLabel(),
    site: code.site,
    region: code.region,
    roles: code.roles,
    transportKey: identity.peerKey,
    statementKey: identity.agentKey,
  };
  await using network = await openNetwork({
    transportSecret: secret,
    cluster: code.cluster,
    listen: [],
    admit: () => true,
    log: quietLog,
    dht: false,
    gossip: false,
  });
  const admitted = await joinCluster({
    network,
    code,
    descriptor,
    statementSecret: identity.statementSecret,
    inviteSecret: secret,
    clock,
  });
  const listen = await settle(options.listen.length > 0 ? options.listen : config.listen);
  await openFactStore(state.paths.facts);
  await using log = await openStatementLog(state.paths.statements, quietLog);
  const ledger = await Ledger.open({ genesisBytes: admitted.genesisBytes, log, clock });
  for (const envelope of admitted.envelopes) await ledger.ingest(envelope);
  const { founder } = ledger.roster.genesis;
  await createControlJournal(state.paths.control, initialLog(founder.statementKey)).catch(
    (error: unknown) => {
      // A join that was cut off has made it; no agent has run since.
      if (codeOf(error) !== 'state-exists') throw error;
    },
  );
  const { contacts } = admitted;
  await state.writeJson(stateFiles.agent, { listen, contacts, joining: inviteKey });
  // Last: without it joining has not ended.
  await state.writeSecret(stateFiles.genesis, admitted.genesisBytes);
  return {
    clusterId: code.cluster,
    clusterName: decodeGenesis(admitted.genesisBytes).name,
    name: descriptor.name,
    site: descriptor.site,
    region: descriptor.region,
    roles: [...descriptor.roles],
    addresses: told(config, listen),
  };
}

/** What others shall dial: as configured where that differs from where it listens. */
function told({ announce }: Config, listen: readonly string[]): string[] {
  return announce.length > 0 ? [...announce] : dialable(listen);
}
