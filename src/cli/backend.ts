import type { AgentApi, RecoverySession } from '../agent/api.ts';
import type { Config } from '../agent/config.ts';
import type { CommandReport } from '../agent/coordinator-types.ts';
import type { ControlBody } from '../core/format/control-records.ts';

/** What the commands need beside the control API: the work that is done without a running agent. */
export interface Backend {
  /** @throws HoldfastError state-exists when the directory already belongs to a cluster. */
  initCluster(options: InitOptions): Promise<InitReport>;
  invite(options: InviteOptions): Promise<InviteReport>;
  /** Signs a command with operators' keys and hands it to the running agent, which waits until it is applied. */
  submitAsOperator(options: OperatorOptions & { body: ControlBody }): Promise<CommandReport>;
  join(options: JoinOptions): Promise<JoinReport>;
  /** Serves until the signal, then stops in order and resolves. */
  runAgent(options: AgentOptions, cancel: { signal: AbortSignal }): Promise<void>;
  /** Starts an agent of its own process group, and resolves once it answers. */
  startAgent(options: AgentOptions): Promise<{ pid: number }>;
  openRecovery(options: RecoveryOptions): Promise<RecoverySession>;
  /** Does not connect yet: the first call meets `agent-not-running`. */
  control(stateDir: string): AgentApi;
  /** Rebuilds the indexes of a state directory whose agent does not run. */
  repairIndex(options: { stateDir: string }): Promise<RepairReport>;
  /** Resolves when it has been taken down again. @throws HoldfastError when a step fails. */
  demo(options: DemoOptions, cancel: { signal: AbortSignal }): Promise<void>;
  /** `file`: undefined means the state directory's own, or the defaults where there is none. */
  loadConfig(options: ConfigOptions): Promise<{ file: string | undefined; config: Config }>;
}

export type ConfigOptions = { stateDir: string; file?: string };

export type InitOptions = {
  stateDir: string;
  configFile?: string;
  site: string;
  region: string;
  /** Of this agent; undefined: the host's name. */
  name?: string;
  cluster?: string;
  /** IP:PORT or multiaddrs; empty: as configured. */
  listen: string[];
  surviveSites?: number;
};

export type InitReport = {
  clusterId: string;
  clusterName: string;
  name: string;
  site: string;
  region: string;
  addresses: string[];
  surviveSites: number;
  /** The one secret that opens backups. It is nowhere else. */
  kitText: string;
  /** Where the operator's signing key was put, when it is a file. */
  operatorKeyFile?: string;
};

export type InviteOptions = {
  stateDir: string;
  site: string;
  region: string;
  /** Empty: the default roles. */
  roles: string[];
  ttlMs: number;
  operatorKeyFile?: string;
};

export type InviteReport = {
  code: string;
  site: string;
  region: string;
  roles: string[];
  expiresMs: number;
};

export type OperatorOptions = {
  stateDir: string;
  /** Empty: the key in the state directory. */
  operatorKeyFiles: readonly string[];
};

export type JoinOptions = {
  stateDir: string;
  configFile?: string;
  code: string;
  name?: string;
  listen: string[];
};

export type JoinReport = {
  clusterId: string;
  clusterName: string;
  name: string;
  site: string;
  region: string;
  roles: string[];
  addresses: string[];
};

export type AgentOptions = {
  stateDir: string;
  configFile?: string;
  /** Goes before the configured level. */
  logLevel?: 'debug' | 'info' | 'warn' | 'error';
};

export type RecoveryOptions = {
  kitText: string;
  /** Multiaddrs, with or without the peer id; empty: those written in the kit. */
  peers: string[];
  signal: AbortSignal;
};

export type RepairReport = { shards: number; quarantined: number; statements: number };

export type DemoOptions = {
  /** Absolute; empty: the checkout that this runs from. */
  paths: string[];
  /** Ends after the restore instead of staying up. */
  once: boolean;
  /** Leaves the demo's directory behind. */
  keep: boolean;
  print: (line: string) => void;
};
