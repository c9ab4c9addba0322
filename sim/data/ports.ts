import type { Agent } from '../../src/agent/agent.ts';
import type { Log } from '../../src/ports/runtime.ts';
import { SimFences, SimJournal, SimSteps } from '../control/disk.ts';
import type { DataAgent, Run } from './agent.ts';
import { SimAudit, SimAuditRecords } from './audit.ts';
import { simCompute } from './compute.ts';
import { lyingStore, lyingTongue } from './liar.ts';
import { toyMint, toySealer } from './sealer.ts';
import { SimLocks } from './promises.ts';
import { SimShards } from './shards.ts';
import { SimSource } from './source.ts';
import {
  DataFacts,
  DataLog,
  SimGenerations,
  SimIndex,
  SimKeyRecords,
  SimSecrets,
} from './stores.ts';

export type AgentPorts = Parameters<typeof Agent.start>[0];

/** A host's disk, files, clock and network as the agent sees them in one run. */
export function portsOf(host: DataAgent, run: Run, log: Log): AgentPorts {
  const { disk, options, random } = host;
  const { life, clock, network } = run;
  const { device, control } = disk;
  const { parts, tickNs, world } = options;
  const pause = (): Promise<void> => device.pause(life);
  const store = { device, life };
  const shards = new SimShards({ ...store, files: disk.shards, capacity: () => options.capacity });
  const room = (): number => Number.POSITIVE_INFINITY;
  const outboxShards = new SimShards({ ...store, files: disk.outbox, capacity: room });
  const { lie } = host;
  if (lie !== undefined) network.tongue = lyingTongue(lie, random, world);
  return {
    clock,
    entropy: random,
    log,
    network,
    statementLog: new DataLog(device, life),
    facts: new DataFacts(device, life),
    index: new SimIndex(disk.index, device, life),
    shards: lie === undefined ? shards : lyingStore(shards, lie, world),
    outboxShards,
    auditStore: new SimAudit(disk.audit, device, life),
    auditRecords: new SimAuditRecords(disk.audit, device, life),
    promises: new SimAuditRecords(disk.promises, device, life),
    locks: new SimLocks(disk.promises, device, life),
    secrets: new SimSecrets(disk.secrets, device, life),
    sealer: toySealer(random),
    mint: toyMint(random),
    keyRecords: new SimKeyRecords(disk.keyRecords, device, life),
    stagedKeyRecords: new SimKeyRecords(disk.stagedKeyRecords, device, life),
    compute: simCompute(parts, pause),
    source: new SimSource(host.tree, { pause, tears: tickNs === 0n, onLook: () => host.onLook() }),
    controlJournal: new SimJournal(control, life),
    generations: new SimGenerations(),
    fences: new SimFences(control, life),
    steps: new SimSteps(control, life),
    probes: { run: async () => ({ isHealthy: false, detail: 'no probes here' }) },
    hooks: { run: async () => ({ isDone: false, detail: 'no hooks here', output: '' }) },
    places: {
      open: async () => {
        throw new Error('plans are not met here');
      },
      setAside: async () => undefined,
    },
  };
}
