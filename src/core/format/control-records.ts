import type { AgentKey, DatasetId, FactHash, PeerKey, StatementHash } from '../ids.ts';
import type { Hold, QuarantineMark, SequenceRange, SnapshotSelection } from './keeping-records.ts';
import type { EpochName } from './key-record.ts';
import type { Invite, Operator, Role } from './records.ts';

export type { Hold, QuarantineMark, SequenceRange, SnapshotSelection } from './keeping-records.ts';

declare const brand: unique symbol;

/** 16 random bytes, 32 hexadecimal characters: a command is known by it. */
export type CommandId = string & { readonly [brand]: 'CommandId' };
/** Hash of a restore plan's canonical text, 64 hexadecimal characters. */
export type PlanHash = string & { readonly [brand]: 'PlanHash' };

/** Hash of a split's shares, 64 hexadecimal characters. */
export type SplitId = string & { readonly [brand]: 'SplitId' };

/** Names a coordinator's time in office: ordered by generation, then by the index of its assignment. */
export type Fence = {
  readonly generation: number;
  readonly index: number;
};

/** Which of the members vote: chosen by the leader ("auto"), or named here. */
export type Layout = {
  readonly version: number;
  /** The version that it replaces. */
  readonly base: number;
  readonly mode: 'auto' | 'pinned';
  /** Empty unless pinned. */
  readonly voters: readonly AgentKey[];
};

/** What the cluster promises, and what it does by itself. */
export type PolicyChange = {
  readonly version: number;
  /** The version that it replaces. */
  readonly base: number;
  /** Canonical text of a policy document: see core/policy/policy-text. */
  readonly document: Uint8Array;
};

/** What operators shall sign, though not at one place and time. */
export type Proposal = {
  /** Payload of a command, as an envelope would hold it. */
  readonly command: Uint8Array;
  /** Of log time. */
  readonly lastsMs: number;
};

/** Names a proposed command: hash of what its signatures would cover, 64 hexadecimal characters. */
export type CommandHash = string & { readonly [brand]: 'CommandHash' };

/** Who the operators are, and how many of them must sign. */
export type OperatorChange = {
  readonly version: number;
  /** The version that it replaces. */
  readonly base: number;
  readonly threshold: number;
  readonly operators: readonly Operator[];
};

/** What an agent may be asked to do from now on, and what no longer. */
export type RoleChange = {
  readonly agent: AgentKey;
  readonly add: readonly Role[];
  readonly remove: readonly Role[];
};

/** Keys of packs, sealed to one agent: in the command, or in a fact that it names. */
export type SealedKeys =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | { readonly kind: 'fact'; readonly hash: FactHash; readonly size: number };

/** What an agent needs to open the packs of a plan, sealed to it. */
export type RunGrant = {
  readonly plan: PlanHash;
  readonly run: number;
  readonly agent: AgentKey;
  readonly sealed: SealedKeys;
  /** Of log time: then it opens nothing more. */
  readonly lastsMs: number;
};

/** An agent wants to restore a snapshot, or a part of it. */
export type RestoreRequest = {
  readonly agent: AgentKey;
  readonly dataset: DatasetId;
  readonly writer: AgentKey;
  readonly snapshot: StatementHash;
  /** Of the dataset, by which the policy's rules go. */
  readonly name: string;
  /** Below which; empty: everything. */
  readonly path: string;
  /** age recipient of an identity that the agent has made for this request alone. */
  readonly recipient: string;
  /** Of log time, from the grant on. */
  readonly lastsMs: number;
  readonly reason: string;
};

/** The keys that an approved request asks for. `request`: hash of the command that has asked. */
export type RestoreKeys = {
  readonly request: CommandHash;
  readonly sealed: SealedKeys;
  /** Whose keys are in it. */
  readonly packs: number;
};

/** What may become of a step. */
export const markOutcomes = ['started', 'done', 'failed', 'undone', 'escalated'] as const;

/** What became of one attempt at one step. */
export type Mark = {
  readonly plan: PlanHash;
  readonly run: number;
  /** Its id in the plan. */
  readonly step: string;
  /** From 1. */
  readonly attempt: number;
  readonly fence: Fence;
  readonly outcome: (typeof markOutcomes)[number];
  readonly worker: AgentKey;
  /** For people, at most 1 KiB. */
  readonly detail: string;
  /** At most 4 KiB; what it means is for the step's kind. */
  readonly evidence: Uint8Array;
};

/** Opens the slot (generation, dataset, incarnation), for one candidate. */
export type Promotion = {
  readonly dataset: DatasetId;
  readonly name: string;
  readonly incarnation: number;
  readonly target: AgentKey;
  readonly plan: PlanHash;
  readonly run: number;
  readonly step: string;
  readonly fence: Fence;
};

/** A voter's only word on a slot. */
export type FenceVote = {
  readonly dataset: DatasetId;
  readonly incarnation: number;
  readonly generation: number;
  /** Undefined: abandon. */
  readonly target: AgentKey | undefined;
  readonly fence: Fence;
};

/** The newest manifest of one writer's dataset, as a voter has brought it. */
export type AnchorHead = {
  readonly writer: AgentKey;
  readonly dataset: DatasetId;
  readonly sequence: number;
  readonly hash: StatementHash;
};

/** Replaces a control log whose majority is lost. */
export type Decree = {
  /** The one that begins: one more than that of the log which it replaces. */
  readonly generation: number;
  readonly voters: readonly AgentKey[];
  readonly abandoned: readonly AgentKey[];
  /** Entries of the longest log that survived. */
  readonly logSize: number;
  /** Of the control state to which that log leads, 32 bytes. */
  readonly rootHash: Uint8Array;
  readonly reason: string;
  readonly noticeMs: number;
  readonly announcedMs: number;
};

/** A recovery kit, as far as members know it. */
export type KitKeys = {
  /** age recipient. */
  readonly recipient: string;
  /** Its holder proves this key on connections. */
  readonly recoveryKey: PeerKey;
};

/** Who may open data beside the kit. */
export type KeyRecipient = {
  /** For people; may be empty. */
  readonly name: string;
  /** age recipient. */
  readonly recipient: string;
};

/** All recipients of one dataset, or (of: undefined) of every dataset. */
export type RecipientSet = {
  readonly of: { readonly writer: AgentKey; readonly dataset: DatasetId } | undefined;
  readonly recipients: readonly KeyRecipient[];
};

/** Another key record for an epoch. */
export type RecordChange = EpochName & {
  /** The record that it replaces; undefined: the identity stands in the source's statement. */
  readonly base: FactHash | undefined;
  readonly record: FactHash;
};

/** Who can open what from now on. */
export type KeysChange = {
  readonly version: number;
  readonly base: number;
  /** Undefined: the kit stays. */
  readonly kit: KitKeys | undefined;
  readonly sets: readonly RecipientSet[];
  readonly records: readonly RecordChange[];
};

/** Somebody who keeps a share of the kit. */
export type Custodian = {
  readonly name: string;
  /** Hash of the share, 32 bytes. */
  readonly commitment: Uint8Array;
  /** Public key made from the share: who has it can sign. */
  readonly key: AgentKey;
};

/** A kit in shares, any `threshold` of which make it. */
export type Split = {
  readonly kitVersion: number;
  readonly threshold: number;
  /** In the order of the shares, which count from 1. */
  readonly custodians: readonly Custodian[];
};

/** What a command says about keys. */
export type KeyBody =
  | ({ readonly kind: 'keys' } & KeysChange)
  | ({ readonly kind: 'key-destroy'; readonly reason: string } & EpochName)
  | ({ readonly kind: 'split' } & Split)
  /** Split: its id, 64 hexadecimal characters. */
  | { readonly kind: 'share-proof'; readonly split: SplitId; readonly share: number };

/** What a command says about restore grants. */
export type RestoreBody =
  | ({ readonly kind: 'restore-request' } & RestoreRequest)
  | ({ readonly kind: 'restore-grant' } & RestoreKeys)
  | { readonly kind: 'restore-use'; readonly request: CommandHash }
  | {
      readonly kind: 'restore-end';
      readonly request: CommandHash;
      readonly outcome: 'used' | 'withdrawn' | 'revoked';
      readonly reason: string;
    };

/** A holder's promise that its copy is off so long after it has said this, unless it says it anew. */
export type LeaseRenewal = {
  readonly dataset: DatasetId;
  readonly incarnation: number;
  /** 0: no lease is held any more. */
  readonly forMs: number;
};

/** A voter's word that a renewal has run out, by the time that has passed at the voter. */
export type LeaseLapse = {
  readonly dataset: DatasetId;
  readonly incarnation: number;
  /** Of the renewal. */
  readonly generation: number;
  readonly index: number;
};

/** Who is to hold nothing any more: a host, or all hosts of a site. */
export type DrainTarget = { readonly agent: AgentKey } | { readonly site: string };

/** What a command of the control log says. */
export type ControlBody =
  | ({ readonly kind: 'layout' } & Layout)
  | ({ readonly kind: 'policy' } & PolicyChange)
  | KeyBody
  | { readonly kind: 'plan'; readonly plan: Uint8Array; readonly hash: PlanHash }
  | ({ readonly kind: 'grant' } & RunGrant)
  | RestoreBody
  | {
      readonly kind: 'assign';
      readonly plan: PlanHash;
      readonly run: number;
      readonly coordinator: AgentKey;
    }
  | ({ readonly kind: 'mark' } & Mark)
  | {
      readonly kind: 'plan-decision';
      readonly plan: PlanHash;
      readonly run: number;
      readonly decision: 'cancel' | 'resume' | 'roll-back';
    }
  | ({ readonly kind: 'promote' } & Promotion)
  | ({ readonly kind: 'fence-vote' } & FenceVote)
  | { readonly kind: 'demote'; readonly dataset: DatasetId; readonly incarnation: number }
  | ({ readonly kind: 'lease' } & LeaseRenewal)
  | ({ readonly kind: 'lease-lapse' } & LeaseLapse)
  | {
      readonly kind: 'isolate';
      readonly agent: AgentKey;
      /** Undefined: all. */
      readonly dataset: DatasetId | undefined;
      readonly reason: string;
    }
  | { readonly kind: 'reinstate'; readonly agent: AgentKey; readonly dataset: DatasetId }
  | {
      readonly kind: 'vouch';
      /** A checkpoint with its signatures. */
      readonly note: string;
    }
  | {
      readonly kind: 'abandon';
      readonly dataset: DatasetId;
      readonly incarnation: number;
      readonly reason: string;
    }
  | {
      readonly kind: 'anchor';
      /** Envelopes of manifest statements. */
      readonly manifests: readonly Uint8Array[];
    }
  | { readonly kind: 'site-report'; readonly site: string; readonly state: 'lost' | 'seen' }
  | {
      readonly kind: 'admit';
      /** Envelope of the invite statement. */
      readonly invite: Uint8Array;
      /** Envelope of the admission statement. */
      readonly admission: Uint8Array;
    }
  | ({ readonly kind: 'decree' } & Decree)
  | ({ readonly kind: 'propose' } & Proposal)
  | { readonly kind: 'approve'; readonly hash: CommandHash }
  | { readonly kind: 'deny'; readonly hash: CommandHash; readonly reason: string }
  | { readonly kind: 'veto'; readonly hash: CommandHash; readonly reason: string }
  | ({ readonly kind: 'operators' } & OperatorChange)
  | ({ readonly kind: 'roles' } & RoleChange)
  | ({ readonly kind: 'invite' } & Invite)
  | { readonly kind: 'format'; readonly version: number }
  | { readonly kind: 'expel'; readonly agent: AgentKey; readonly reason: string }
  | {
      readonly kind: 'time';
      /** Milliseconds since 1970, by the conservative time of the voter that says so. */
      readonly logTimeMs: number;
    }
  | { readonly kind: 'clear-suspect'; readonly manifest: StatementHash; readonly reason: string }
  | { readonly kind: 'drain'; readonly target: DrainTarget; readonly isOver: boolean }
  | { readonly kind: 'thaw'; readonly agent: AgentKey; readonly freeze: number }
  | ({ readonly kind: 'hold' } & Hold)
  | { readonly kind: 'release'; readonly hold: CommandId; readonly reason: string }
  | ({ readonly kind: 'forget' } & SnapshotSelection)
  | ({ readonly kind: 'undelete' } & SnapshotSelection)
  | ({ readonly kind: 'unlock' } & SnapshotSelection)
  | {
      readonly kind: 'expire';
      readonly head: AnchorHead;
      readonly ranges: readonly SequenceRange[];
    }
  | { readonly kind: 'confirm-expiry'; readonly expiry: CommandId }
  | ({ readonly kind: 'quarantine' } & QuarantineMark)
  | ({ readonly kind: 'drill' } & DrillHead)
  | {
      readonly kind: 'clear-quarantine';
      readonly dataset: DatasetId;
      readonly writer: AgentKey;
    };

/** The newest drill report of whoever says so. */
export type DrillHead = {
  /** In its stream of drill reports. */
  readonly sequence: number;
  readonly hash: StatementHash;
};

/** One command: what is signed and appended to the control log. */
export type ControlCommand = {
  readonly id: CommandId;
  /** By its author's clock, for people: nothing is decided by it. */
  readonly timeMs: number;
  readonly body: ControlBody;
};

/** One kind of body. */
export type BodyOf<Kind extends ControlBody['kind']> = Extract<ControlBody, { kind: Kind }>;
