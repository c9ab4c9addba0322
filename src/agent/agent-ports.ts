import type { Contact } from '../core/format/records.ts';
import type { AgentKey } from '../core/ids.ts';
import type { Roster } from '../core/protocol/roster.ts';
import type { Compute } from '../ports/compute.ts';
import type { EpochMint, KeyRecordStore } from '../ports/key-records.ts';
import type { KeyValue } from '../ports/key-value.ts';
import type { Channel } from '../ports/messenger.ts';
import type { HostLoad } from '../ports/host-load.ts';
import type { LoopWatch } from '../ports/loop-watch.ts';
import type { Network } from '../ports/network.ts';
import type { Clock, Entropy, Log } from '../ports/runtime.ts';
import type { PackSealing, Sealer } from '../ports/sealer.ts';
import type { SecretStore } from '../ports/secrets.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { Source } from '../ports/source.ts';
import type { StagingAreas } from '../ports/staging.ts';
import type { FactStore, StatementLog } from '../ports/statement-log.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { AuditPorts } from '../services/audit/agent-audit.ts';
import type { Config } from './config.ts';
import type { ControlPorts } from './control-plane.ts';
import type { KeepingPorts } from './keeping.ts';
import type { UpkeepPorts } from './upkeep.ts';

/** Everything that an agent needs of the world. */
export type AgentPorts = UpkeepPorts &
  ControlPorts &
  AuditPorts &
  KeepingPorts & {
    readonly clock: Clock;
    readonly entropy: Entropy;
    readonly log: Log;
    readonly network: Network;
    readonly statementLog: StatementLog;
    readonly facts: FactStore;
    readonly index: KeyValue;
    /** Shards held for the cluster. */
    readonly shards: ShardStore;
    /** Own shards that a peer has not taken yet. */
    readonly outboxShards: ShardStore;
    readonly secrets: SecretStore;
    readonly sealer: Sealer;
    readonly mint: EpochMint;
    readonly openSealing?: () => PackSealing;
    readonly keyRecords: KeyRecordStore;
    readonly stagedKeyRecords: KeyRecordStore;
    readonly compute: Compute;
    readonly source: Source;
    readonly watchLoop?: () => LoopWatch;
    /** Where drills without a person restore to; undefined: there are none here. */
    readonly staging?: StagingAreas;
    /** How people hear of alarms beside the log. */
    readonly channels?: readonly Channel[];
    readonly load?: HostLoad;
    /** Watches restores; undefined: nobody does. */
    readonly tracer?: Tracer;
  };

export type AgentOptions = {
  readonly genesisBytes: Uint8Array;
  readonly agentKey: AgentKey;
  readonly statementSecret: Uint8Array;
  readonly config: Config;
  readonly hostName: string;
  /** Absolute: it is left out of backups. */
  readonly stateDir: Uint8Array;
  readonly version: string;
  /** Called once the members are known, before any of them is met. */
  readonly onRoster?: (roster: Roster) => void;
  /** Where members could be reached when this agent joined: until their own word arrives. */
  readonly contacts: readonly Contact[];
  /** This agent can no longer keep what it promises, and must stop. */
  readonly onFatal: (error: unknown) => void;
};
