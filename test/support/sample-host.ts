import { Ledger } from '../../src/services/ledger.ts';
import { Peers } from '../../src/services/peers.ts';
import { Serve } from '../../src/services/serve.ts';
import type { StatementBudget } from '../../src/services/statement-budget.ts';
import { Sync } from '../../src/services/sync.ts';
import { collectingLog } from './collecting-log.ts';
import type { LoopHub, LoopNetwork } from './loop-network.ts';
import type { ManualClock } from './manual-clock.ts';
import { MemoryFactStore, MemoryStatementLog } from './memory-statement-log.ts';
import type { SampleAgent, SampleCluster } from './sample-cluster.ts';

/** An agent's membership services over a loop network. Disposal stops them in reverse order. */
export type SampleHost = AsyncDisposable & {
  readonly agent: SampleAgent;
  readonly network: LoopNetwork;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly serve: Serve;
  readonly sync: Sync;
  readonly facts: MemoryFactStore;
  readonly log: MemoryStatementLog;
  readonly logger: ReturnType<typeof collectingLog>;
  start(): void;
};

/** Opened, not started. `envelopes` are taken first, as after joining. */
export async function sampleHost(
  options: { hub: LoopHub; cluster: SampleCluster; clock: ManualClock; agent: SampleAgent },
  {
    envelopes = [],
    log = new MemoryStatementLog(),
    budgetOf,
  }: {
    envelopes?: readonly Uint8Array[];
    log?: MemoryStatementLog;
    budgetOf?: (ledger: Ledger) => StatementBudget;
  } = {},
): Promise<SampleHost> {
  const { hub, cluster, clock, agent } = options;
  const facts = new MemoryFactStore();
  const logger = collectingLog();
  const { genesisBytes } = cluster;
  const ledger = await Ledger.open({ genesisBytes, log, clock, self: agent, logger });
  for (const envelope of envelopes) await ledger.ingest(envelope);
  const network = hub.open(
    agent.peerKey,
    (peer) => ledger.roster.mayConnect(peer, clock.nowMs()) !== undefined,
  );
  const version = '1.0.0';
  const shared = { network, ledger, clock, logger, version, facts };
  const peers = new Peers(shared);
  const serve = new Serve({
    ...shared,
    usage: () => ({ shards: 3, bytes: 4096, freeBytes: 1_000_000 }),
  });
  const sync = new Sync({ ...shared, peers, budget: budgetOf?.(ledger) });
  return {
    agent,
    network,
    ledger,
    peers,
    serve,
    sync,
    facts,
    log,
    logger,
    start: () => {
      serve.start();
      peers.start();
      sync.start();
    },
    [Symbol.asyncDispose]: async () => {
      await sync[Symbol.asyncDispose]();
      await peers[Symbol.asyncDispose]();
      await network[Symbol.asyncDispose]();
    },
  };
}
