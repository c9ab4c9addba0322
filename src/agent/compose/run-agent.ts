import { realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { processMint } from '../../adapters/age/mint-process.ts';
import { ageSealer } from '../../adapters/age/sealer.ts';
import { openSealingProcess } from '../../adapters/age/sealing-process.ts';
import { openComputePool } from '../../adapters/compute/pool.ts';
import { serveControl } from '../../adapters/control/server.ts';
import { openAuditStore } from '../../adapters/fs/audit-store.ts';
import { CheckedRecords } from '../../adapters/fs/checked-record.ts';
import { openControlJournal } from '../../adapters/fs/control-journal.ts';
import { openFactStore } from '../../adapters/fs/fact-store.ts';
import { openFenceStore } from '../../adapters/fs/fence-store.ts';
import { openKeyRecordStore } from '../../adapters/fs/key-record-store.ts';
import { openLockLedger } from '../../adapters/fs/lock-ledger.ts';
import { restorePlaces } from '../../adapters/fs/restore-place.ts';
import { openShardStore } from '../../adapters/fs/shard-store.ts';
import { openSource } from '../../adapters/fs/source.ts';
import type { StateDirectory } from '../../adapters/fs/state-directory.ts';
import { openStateDirectory } from '../../adapters/fs/state-directory.ts';
import { openStatementLog } from '../../adapters/fs/statement-log.ts';
import { openKeyValue } from '../../adapters/level/key-value.ts';
import { openNetwork } from '../../adapters/libp2p/node.ts';
import { boundMemory, collect, growFreely } from '../../adapters/system/allocator.ts';
import { systemHooks } from '../../adapters/system/hook.ts';
import { hostName } from '../../adapters/system/host.ts';
import { systemLoad } from '../../adapters/system/host-load.ts';
import { ProcessLeaseGuard } from '../../adapters/system/lease-guard.ts';
import { openLog } from '../../adapters/system/log.ts';
import { watchLoop } from '../../adapters/system/loop-watch.ts';
import { systemProbes } from '../../adapters/system/probe.ts';
import { systemClock, systemEntropy } from '../../adapters/system/runtime.ts';
import { utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import { clusterIdOf, decodeGenesis } from '../../core/format/genesis.ts';
import type { Contact } from '../../core/format/records.ts';
import type { BandwidthLimits } from '../../core/policy/bandwidth.ts';
import type { PeerKey } from '../../core/ids.ts';
import { agentMessages } from '../../core/log-messages/agent.ts';
import type { GenerationStore } from '../../ports/generation-store.ts';
import type { LeaseGuard } from '../../ports/lease-guard.ts';
import type { Log } from '../../ports/runtime.ts';
import type { SecretStore } from '../../ports/secrets.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import { Agent } from '../agent.ts';
import { agentApi } from '../agent-api.ts';
import type { Config } from '../config.ts';
import { version } from '../version.ts';
import { channelsOf } from './channels.ts';
import { openDashboard } from './dashboard.ts';
import { hostStaging } from './staged-drill.ts';
import { loadIdentity, stateFiles } from './identity.ts';
import { openTiers } from './tiers.ts';
import { openTracer } from './tracing.ts';

/** Compute threads beside the main one. More than this and the disk is the limit. */
const threadsMax = 8;

export type RunOptions = {
  readonly stateDir: string;
  readonly config: Config;
  readonly logLevel: Config['log']['level'];
  /** They go before the configuration. */
  readonly bandwidth?: Partial<BandwidthLimits>;
};

/** What an agent remembers beside its keys; where it is lost, the configuration says where to listen. */
type AgentFile = { readonly listen: readonly string[]; readonly contacts?: readonly Contact[] };

/**
 * Opens the state directory, runs the agent until the signal, and closes everything in reverse order.
 * @throws HoldfastError no-cluster | state-in-use | config-invalid
 */
export async function runAgent(options: RunOptions, signal: AbortSignal): Promise<void> {
  const { config } = options;
  await using stack = new AsyncDisposableStack();
  const state = await openStateDirectory(options.stateDir, { create: false });
  const identity = await loadIdentity(state);
  stack.use(state.lock());
  const log = stack.use(openLog({ level: options.logLevel, destination: 'stderr' }));
  const genesisBytes = await state.readSecret(stateFiles.genesis);
  const file = ((await state.readJson(stateFiles.agent)) ?? config) as AgentFile;
  const index = stack.use(await openKeyValue(state.paths.index));
  const warm = stack.use(await openStore(state, 'shards', index, config, log));
  const outboxShards = stack.use(await openStore(state, 'outbox', index, config, log));
  const statementLog = stack.use(await openStatementLog(state.paths.statements, log));
  const threads = Math.min(threadsMax, config.threads ?? availableParallelism());
  const compute = stack.use(openComputePool({ threads }));
  // One reads while another lists ahead, also where there are few processors.
  const source = stack.use(openSource({ threads: Math.max(2, Math.ceil(threads / 2)) }));
  const admission: { admits: (peer: PeerKey) => boolean } = { admits: () => false };
  // Loaded only where somebody reads them: they cost memory.
  const nodeMetrics =
    config.metrics.listen === undefined
      ? undefined
      : (await import('../../adapters/libp2p/node-metrics.ts')).openNodeMetrics();
  const network = stack.use(
    await openNetwork({
      transportSecret: identity.transportSecret,
      cluster: clusterIdOf(genesisBytes),
      listen: file.listen,
      announce: config.announce,
      isRelay: config.relay.serve,
      usesRelays: config.relay.use,
      admit: (peer) => admission.admits(peer),
      log,
      dht: true,
      gossip: true,
      metrics: nodeMetrics,
    }),
  );
  const clock = systemClock();
  const hooks = systemHooks();
  const facts = { 'host.name': hostName(), 'holdfast.agent': identity.agentKey };
  const tracer = stack.use(openTracer({ endpoint: config.traces.otlp, facts, clock, log }));
  const place = { warm, cold: config.cold, owner: identity.agentKey, index, clock, log };
  const tiers = await openTiers(place, stack);
  const promises = new CheckedRecords(state.paths.locks);
  const stop = new AbortController();
  const agent = stack.use(
    await Agent.start(
      {
        clock,
        entropy: systemEntropy(),
        log,
        network,
        statementLog,
        facts: await openFactStore(state.paths.facts),
        index,
        shards: tiers ?? warm,
        tiers,
        outboxShards,
        secrets: secretStore(state),
        promises,
        locks: stack.use(
          await openLockLedger({ path: `${state.paths.locks}/ledger`, records: promises }),
        ),
        sealer: ageSealer(),
        mint: processMint(),
        openSealing: openSealingProcess,
        keyRecords: openKeyRecordStore(state.paths.keys),
        stagedKeyRecords: openKeyRecordStore(state.paths['staged-keys']),
        compute,
        source,
        watchLoop,
        load: systemLoad(),
        ...(tracer === undefined ? {} : { tracer }),
        ...(await openFenceStore(state.paths.plans)),
        probes: systemProbes(),
        staging: hostStaging(join(state.path, 'staging')),
        hooks,
        channels: await channelsOf(config.alerts, hooks),
        ...guardOf(state, config),
        places: restorePlaces({ forbidden: [realpathSync(state.path)] }),
        generations: generationStore(state),
        auditStore: stack.use(await openAuditStore(state.paths.audit, log)),
        auditRecords: new CheckedRecords(state.paths.audit),
        controlJournal: stack.use(await openControlJournal(state.paths.control)),
      },
      {
        genesisBytes,
        agentKey: identity.agentKey,
        statementSecret: identity.statementSecret,
        config,
        hostName: hostName(),
        stateDir: utf8(realpathSync(state.path)),
        version,
        contacts: file.contacts ?? [],
        onFatal: (error) => stop.abort(error),
        onRoster: (roster) => {
          admission.admits = (peer) => roster.mayConnect(peer, clock.nowMs()) !== undefined;
        },
      },
    ),
  );
  agent.bandwidth.say(options.bandwidth ?? {});
  const api = agentApi(agent, () => stop.abort());
  stack.use(await serveControl({ socketPath: `${state.path}/control.sock`, api, log }));
  stack.use(await openDashboard({ state, config, agent: agent.member().agentKey, api, log }));
  const { listen } = config.metrics;
  if (listen !== undefined) {
    const { serveMetrics } = await import('../../adapters/metrics/listener.ts');
    const texts = {
      '/metrics': async () => (await api.metrics()).text,
      // Apart: its names are libp2p's own, and not as Prometheus wants them.
      '/metrics/libp2p': async () => (await nodeMetrics?.text()) ?? '',
    };
    const { address } = stack.use(await serveMetrics({ listen, texts, log }));
    log.log('info', agentMessages.metricsServed, { address });
  }
  collect();
  using _memory = boundMemory();
  growFreely();
  log.log('info', agentMessages.agentStarted, {
    cluster: decodeGenesis(genesisBytes).name,
    name: agent.member().name,
    addresses: network.addresses(),
  });
  await untilAborted(AbortSignal.any([signal, stop.signal]));
  log.log('info', agentMessages.agentStopping, {});
  if (stop.signal.reason instanceof HoldfastError) throw stop.signal.reason;
}

/** A host that starts and stops nothing has no guard. */
function guardOf(state: StateDirectory, config: Config): { leaseGuard?: LeaseGuard } {
  const programs = new Map(Object.entries(config.leases));
  if (programs.size === 0) return {};
  const directory = join(state.path, 'leases');
  return { leaseGuard: new ProcessLeaseGuard({ directory, programs }) };
}

function openStore(
  state: StateDirectory,
  name: 'shards' | 'outbox',
  index: Awaited<ReturnType<typeof openKeyValue>>,
  config: Config,
  log: Log,
): Promise<ShardStore> {
  return openShardStore({
    directory: state.paths[name],
    index,
    keyPrefix: `${name}/`,
    reserveBytes: config.storage.reserve,
    log,
  });
}

function secretStore(state: StateDirectory): SecretStore {
  return {
    read: (name) =>
      state.has(`datasets/${name}`)
        ? state.readSecret(`datasets/${name}`)
        : Promise.resolve(undefined),
    write: (name, secret) => state.writeSecret(`datasets/${name}`, secret),
  };
}

type StoredStart = { generation: number; envelope: string; base: string };

/** How the control log's generation began; what it says is proved by signatures, whatever the disk has done to it. */
function generationStore(state: StateDirectory): GenerationStore {
  const name = 'generation.json';
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
  const text = (some: Uint8Array): string => Buffer.from(some).toString('base64');
  return {
    read: async () => {
      const stored = (await state.readJson(name)) as StoredStart | undefined;
      if (stored === undefined) return undefined;
      const { generation, envelope, base } = stored;
      return { generation, envelope: bytes(envelope), base: bytes(base) };
    },
    write: ({ generation, envelope, base }) =>
      state.writeJson(name, { generation, envelope: text(envelope), base: text(base) }),
  };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
