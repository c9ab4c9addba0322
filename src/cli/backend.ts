import type { AgentApi, RecoverySession } from '../agent/api.ts';
import type { Config } from '../agent/config.ts';
import type { StoreCheckReport, StoreCheckRequest } from '../agent/store-check-types.ts';
import type { DecreeDraft } from '../agent/coordinator-decree-types.ts';
import type { CommandReport } from '../agent/coordinator-types.ts';
import type { DrillRunEvent, SandboxRequest } from '../agent/drill-types.ts';
import type { DrillReport } from '../core/policy/drill-report.ts';
import type { ControlBody, RecipientSet } from '../core/format/control-records.ts';
import type { PolicyDocument } from '../core/policy/policy-document.ts';

/** What the commands need beside the control API: the work that is done without a running agent. */
export interface Backend {
  /** @throws HoldfastError state-exists when the directory already belongs to a cluster. */
  initCluster(options: InitOptions): Promise<InitReport>;
  invite(options: InviteOptions): Promise<InviteReport>;
  /** Signs a command with operators' keys and hands it to the running agent, which waits until it is applied. */
  submitAsOperator(options: OperatorOptions & { body: ControlBody }): Promise<CommandReport>;
  /** Wraps key epochs anew, with identities that open them, and submits that with the operators' signature. */
  changeKeys(options: KeyChangeOptions): Promise<KeyChangeReport>;
  /** Verifies what the agent says of the policy, from the genesis and signatures alone. */
  provePolicy(options: { stateDir: string }): Promise<PolicyProof>;
  /** Makes a signing key in a new file. @returns its public half, hexadecimal */
  makeOperatorKey(file: string): Promise<string>;
  /** Splits the recovery kit, and has operators sign the commitments. */
  splitKit(options: SplitOptions): Promise<SplitReport>;
  /** Needs neither agent nor state directory. */
  combineKit(shares: readonly ShareText[]): Promise<CombineReport>;
  /** Shows the cluster that a custodian still has its share. */
  proveShare(options: { stateDir: string; text: string }): Promise<ProofReport>;
  /** The text of a decree's document, for operators to sign. */
  decreeDocument(draft: DecreeDraft): Promise<string>;
  readDecree(text: string): Promise<DecreeWords>;
  /** Adds operators' signatures; with key files it needs neither agent nor state directory. */
  signDecree(options: OperatorOptions & { text: string }): Promise<string>;
  /** What the agent takes, base64. @throws HoldfastError not-permitted when nobody has signed it. */
  decreeEnvelope(text: string): Promise<string>;
  join(options: JoinOptions): Promise<JoinReport>;
  /** Serves until the signal, then stops in order and resolves. */
  runAgent(options: AgentOptions, cancel: { signal: AbortSignal }): Promise<void>;
  /** Starts an agent of its own process group, and resolves once it answers. */
  startAgent(options: AgentOptions): Promise<{ pid: number }>;
  openRecovery(options: RecoveryOptions): Promise<RecoverySession>;
  /** Makes a fault in a cluster of its own on this machine, with made-up data, and measures. Ends with the report. */
  sandboxDrill(
    request: SandboxRequest,
    cancel: { signal: AbortSignal },
  ): AsyncIterable<DrillRunEvent>;
  /** Checks every signature of an evidence file, without any network. @throws HoldfastError bad-encoding | bad-signature | ... */
  proveDrills(evidence: DrillEvidence): Promise<ProvenDrills>;
  /** Opens the keys of a plan's packs with the kit, and can then give them to agents. */
  openPlanKeys(options: PlanKeysOptions): Promise<PlanKeys>;
  /** Opens an approved request's packs with an identity, and reseals their keys to the host that has asked. */
  grantRestore(options: GrantRestoreOptions): Promise<GrantRestoreReport>;
  /** Does not connect yet: the first call meets `agent-not-running`. */
  control(stateDir: string): AgentApi;
  /** Where the running agent serves its dashboard. @throws HoldfastError not-found when it serves none */
  dashboard(options: { stateDir: string }): Promise<{ url: string; link: string }>;
  /** Rebuilds the indexes of a state directory whose agent does not run. */
  repairIndex(options: { stateDir: string }): Promise<RepairReport>;
  /** Measures and verifies a store. Needs neither agent nor state directory. */
  checkTarget(request: StoreCheckRequest): Promise<StoreCheckReport>;
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
  /** Voters that may sign two words on one promotion without harm: 0 or 1. */
  byzantineVoters?: number;
  /** Keys are public halves, hexadecimal. Undefined: one operator, whose key is made here. */
  operators?: { named: { name: string; key: string }[]; threshold: number };
  policy?: PolicyDocument;
  /** Among whom the kit shall be split. */
  custody?: { threshold: number; custodians: { name: string; recipient?: string }[] };
};

export type InitReport = {
  clusterId: string;
  clusterName: string;
  name: string;
  site: string;
  region: string;
  addresses: string[];
  surviveSites: number;
  operators: string[];
  /** How many of them must sign. */
  threshold: number;
  /** The one secret that opens backups. It is nowhere else. */
  kitText: string;
  /** Where the operator's signing key was put, when it is a file. */
  operatorKeyFile?: string;
};

export type PolicyProof = {
  /** By version: why it does not hold. */
  problems: Record<number, { reason: string; isPending: boolean }>;
  /** Up to where the log is proven; undefined: its voters have signed no checkpoint yet. */
  checkpoint?: { generation: number; size: number };
  /** Why the checkpoint that the agent has shown is worth nothing. */
  objection?: string;
};

export type InviteOptions = {
  stateDir: string;
  site: string;
  region: string;
  /** Empty: the default roles. */
  roles: string[];
  ttlMs: number;
  /** Empty: the key in the state directory. */
  operatorKeyFiles: readonly string[];
};

export type InviteReport = {
  code: string;
  site: string;
  region: string;
  roles: string[];
  expiresMs: number;
  /** It admits nobody yet: other operators must sign. */
  proposal?: NonNullable<CommandReport['proposal']>;
};

export type OperatorOptions = {
  stateDir: string;
  /** Empty: the key in the state directory. */
  operatorKeyFiles: readonly string[];
};

export type KeyChangeOptions = OperatorOptions & {
  /** age identities: of the kit, or of recipients. They stay in this process. */
  identities: readonly string[];
  scope: KeyScope;
  /** The whole new set of recipients. */
  set?: RecipientSet;
  /** Makes a new recovery kit. Called with its text before anything is decided: it must be durable then. */
  keepKit?: (kitText: string) => Promise<void>;
};

/** Which epochs are wrapped anew. */
export type KeyScope =
  | { kind: 'all' }
  | { kind: 'stale' }
  | { kind: 'dataset'; writer: string; dataset: string };

export type KeyChangeReport = {
  /** Undefined: there was nothing to do. */
  command?: CommandReport;
  /** Epochs that were wrapped anew. */
  epochs: { writer: string; dataset: string; epoch: number }[];
  /** Of the new key records together. */
  bytes: number;
};

export type SplitOptions = OperatorOptions & {
  kitText: string;
  threshold: number;
  /** In the order of the shares; a recipient gets its share sealed with age. */
  custodians: readonly { name: string; recipient?: string }[];
  /** Called before anything is decided: the shares must be durable then. */
  keep: (files: readonly ShareFile[]) => Promise<void>;
};

export type ShareFile = { share: number; name: string; bytes: Uint8Array; isSealed: boolean };

export type SplitReport = { command: CommandReport; id: string };

export type ShareText = { file: string; text: string };

export type CombineReport = {
  kitText: string;
  clusterName: string;
  threshold: number;
  count: number;
  used: { share: number; holder: string }[];
  /** Shares that were not used, and why. */
  problems: string[];
};

export type ProofReport = { command: CommandReport; share: number; holder: string };

/** What a decree says, out of what is signed. Keys in hexadecimal. */
export type DecreeWords = {
  clusterId: string;
  generation: number;
  voters: string[];
  abandoned: string[];
  logSize: number;
  rootHash: string;
  reason: string;
  noticeMs: number;
  announcedMs: number;
  /** Keys whose signatures it carries, each checked. */
  signers: string[];
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
  /** Bytes a second, 0: no limit; they go before the configuration. */
  bandwidth?: { upload?: number; download?: number };
  /** Goes before `cold.store` of the configuration. */
  cold?: string;
};

export type RecoveryOptions = {
  kitText: string;
  /** Multiaddrs, with or without the peer id; empty: those written in the kit. */
  peers: string[];
  /** Of an agent on this host: the shards in it need no network. */
  stateDir?: string;
  /** Whether programs of this host's configuration run around restores and drills; its file, where it is not the usual. */
  hooks?: { stateDir: string; file?: string };
  /** Sites whose members are never asked, as if they were gone. */
  without?: readonly string[];
  signal: AbortSignal;
};

export type PlanKeysOptions = RecoveryOptions & {
  stateDir: string;
  /** The canonical text of the plan. */
  text: string;
};

export interface PlanKeys {
  /** Seals to every agent that may restore what it needs, and submits that with the operators' signature. */
  grant(options: GrantOptions): Promise<GrantReport[]>;
}

export type GrantOptions = OperatorOptions & {
  /** Hash of the plan. */
  plan: string;
  run: number;
};

/** Of one agent: how many packs it may open, or why it may not. */
export type GrantReport = { agent: string; packs?: number; problem?: string };

/** What an evidence file holds: everything that is needed to check it, and what somebody has claimed beside that. */
export type DrillEvidence = {
  format: 'holdfast-drills-1';
  /** Of the program that has made it. */
  version: string;
  createdMs: number;
  /** Reports of drills that ended before are in it, and not shown. */
  sinceMs: number;
  /** Base64. */
  genesis: string;
  /** Whole sequences of signed statements, base64. */
  statements: string[];
  /** How far the control log fixes each agent's reports: by the word of who has made this file. */
  anchored: { agent: string; sequence: number }[];
};

export type ProvenDrills = {
  cluster: { id: string; name: string };
  /** Newest last. */
  drills: {
    id: string;
    agent: { key: string; name: string; site: string };
    sequence: number;
    report: DrillReport;
  }[];
};

export type GrantRestoreOptions = OperatorOptions & {
  /** Of the request, whole. */
  id: string;
  /** age identities: of the kit, or of recipients. They stay in this process. */
  identities: readonly string[];
  signal: AbortSignal;
};

export type GrantRestoreReport = {
  command: CommandReport;
  /** Whose keys were resealed, of how many. */
  packs: number;
  packsOfSnapshot: number;
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
