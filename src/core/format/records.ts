import type {
  AgentKey,
  ClusterId,
  DatasetId,
  FactHash,
  PackId,
  PeerKey,
  StatementHash,
} from '../ids.ts';

/** What a member may be asked to do. */
export const roles = [
  'source',
  'storage',
  'voter',
  'witness',
  'relay',
  'auditor',
  'custodian',
] as const;

export type Role = (typeof roles)[number];

/** True when the text names a role. */
export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}

/** Who an agent is, as admitted. Names, sites and regions are labels (see `isLabel`). */
export type AgentDescriptor = {
  readonly name: string;
  readonly site: string;
  readonly region: string;
  /** At least one, each once. */
  readonly roles: readonly Role[];
  readonly transportKey: PeerKey;
  readonly statementKey: AgentKey;
};

/** What the cluster promises. */
export type Policy = {
  /** From 1. */
  readonly version: number;
  /** How many sites may be lost, whichever they are. */
  readonly surviveSites: number;
  /** Canonical JSON of the policy that the cluster was founded with, which says the same of the sites. */
  readonly document?: Uint8Array;
};

/** Among whom the recovery kit is to be split, as founded. */
export type Custody = {
  /** How many shares make the kit. */
  readonly threshold: number;
  readonly custodians: readonly Custodian[];
};

/** A person who keeps a share. */
export type Custodian = {
  readonly name: string;
  /** age recipient that the share is sealed to; empty: it is not. */
  readonly recipient: string;
};

/** A person who may change the cluster. */
export type Operator = {
  readonly name: string;
  readonly key: AgentKey;
  /** age recipient; empty: this operator cannot open data. */
  readonly recipient: string;
};

/** The first record of a cluster; the hash of its bytes is the cluster id. */
export type Genesis = {
  /** 1 to 63 printable characters. */
  readonly name: string;
  /** 32 random bytes. */
  readonly salt: Uint8Array;
  readonly operators: readonly Operator[];
  /** How many operators must sign. */
  readonly operatorThreshold: number;
  /** age recipient of the recovery kit. */
  readonly recoveryRecipient: string;
  /** What the recovery kit proves on connections. */
  readonly recoveryKey: PeerKey;
  readonly policy: Policy;
  readonly founder: AgentDescriptor;
  readonly createdMs: number;
  /** Voters that may sign two words on one promotion without harm: 0 or 1; left out: 0. */
  readonly byzantineVoters?: number;
  /** Undefined: nobody was named. */
  readonly custody?: Custody;
};

/** Said by an operator: whoever holds the secret half of `inviteKey` may join once, through `issuer`. */
export type Invite = {
  /** Ed25519 public key made from the code's secret; the joiner's first identity on connections. */
  readonly inviteKey: PeerKey;
  readonly site: string;
  readonly region: string;
  readonly roles: readonly Role[];
  readonly notAfterMs: number;
  readonly issuer: AgentKey;
};

/** Said by the issuer named in the invite. */
export type Admission = {
  readonly inviteKey: PeerKey;
  /** Encoded AgentDescriptor, as signed. */
  readonly descriptor: Uint8Array;
  /** By `inviteKey` over `admissionMessage`; 64 bytes. */
  readonly inviteSignature: Uint8Array;
  /** By the descriptor's statement key over the same; 64 bytes. */
  readonly agentSignature: Uint8Array;
};

/** Where an agent can be reached, said by itself; the newest of a writer counts. */
export type Address = {
  /** Without the peer id. */
  readonly multiaddrs: readonly string[];
  /** Of the program. */
  readonly version: string;
};

/** A dataset and the recipient that its packs are sealed to, said by the source that writes it. */
export type Dataset = {
  readonly id: DatasetId;
  /** 1 to 128 printable characters. */
  readonly name: string;
  readonly chunkMin: number;
  readonly chunkAverage: number;
  readonly chunkMax: number;
  readonly keyEpoch: number;
  /** age recipient of the epoch. */
  readonly recipient: string;
  /** age file: the epoch identity for the kit. Empty where a key record holds it, which can be deleted. */
  readonly wrappedIdentity: Uint8Array;
  /** The key record that the epoch began with. */
  readonly wrap?: FactHash;
};

/** Where a sealed blob lies: pack, frame, and the place inside the opened frame. */
export type BlobRef = {
  readonly pack: PackId;
  readonly frame: number;
  /** Of the sealed frame in the pack. */
  readonly frameOffset: number;
  readonly frameSize: number;
  /** In the opened frame. */
  readonly offset: number;
  readonly length: number;
};

/** Counts of one snapshot; sizes in bytes. */
export type Totals = {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  readonly bytes: number;
  readonly bytesRead: number;
  /** Sealed pack bytes written for this snapshot, before coding. */
  readonly bytesAdded: number;
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesUnmodified: number;
  readonly filesUnstable: number;
  readonly chunksNew: number;
  readonly durationMs: number;
};

/** How a snapshot differs from the one before it, as its source has seen it; sizes in bytes. */
export type Changes = {
  /** Of the snapshot before, looked at again; 0: there was nothing to compare with. */
  readonly filesCompared: number;
  /** Of these. */
  readonly filesDeleted: number;
  /** New files named as ransomware names them. */
  readonly namesSuspect: number;
  /** Canary files that were changed or deleted. */
  readonly canariesBroken: number;
  /** Plain bytes of chunks that were not stored before. */
  readonly bytesNew: number;
  /** Of these, what compression could not shrink. */
  readonly bytesDense: number;
};

/** A fact named by its hash, and how many entries it has. */
export type FactRef = { readonly hash: FactHash; readonly count: number };

/** The signed record of one snapshot. */
export type Manifest = {
  readonly dataset: DatasetId;
  readonly writerEpoch: number;
  /** Of snapshots in this dataset, from 1. */
  readonly sequence: number;
  /** The manifest before; undefined for the first and only for it. */
  readonly previous: StatementHash | undefined;
  /** Not `kind`, which names the body of a statement. */
  readonly snapshotKind: 'full' | 'increment';
  readonly policyVersion: number;
  readonly keyEpoch: number;
  readonly root: BlobRef;
  readonly packSegments: readonly FactRef[];
  readonly totals: Totals;
  /** For people: retention never depends on it. */
  readonly sourceTimeMs: number;
  /** 0: no schedule. */
  readonly nextByMs: number;
  readonly tags: readonly string[];
  readonly host: string;
  readonly program: string;
  /** What the policy asked for when this was written. */
  readonly surviveSites: number;
  readonly changes: Changes;
  /** Epochs that its packs are sealed to, ascending, where they are not all of `keyEpoch`. */
  readonly keyEpochs?: readonly number[];
  /** What somebody wanted to be said with it, ascending by key; undefined: nothing. */
  readonly annotations?: readonly Annotation[];
};

export type Annotation = { readonly key: string; readonly value: string };

/** A peer's word that it holds the manifest and, per pack segment, the shards of a holding fact, durably. */
export type Receipt = {
  readonly manifest: StatementHash;
  /** One holding fact per pack segment of the manifest, in order. */
  readonly holdings: readonly FactHash[];
  readonly freeBytes: number;
  readonly shardCount: number;
};

/** A version of the operators, with its signatures. */
export type OperatorsProof = {
  /** Envelopes that together hold the command, 1 to 17. */
  readonly evidence: readonly Uint8Array[];
};

/** An invite that operators have signed in the control log. */
export type InviteEvidence = {
  /** Envelopes that together hold the command, 1 to 17. */
  readonly evidence: readonly Uint8Array[];
};

/** What a statement says. */
export type StatementBody =
  | ({ readonly kind: 'invite' } & Invite)
  | ({ readonly kind: 'admission' } & Admission)
  | ({ readonly kind: 'address' } & Address)
  | ({ readonly kind: 'dataset' } & Dataset)
  | ({ readonly kind: 'manifest' } & Manifest)
  | ({ readonly kind: 'receipt' } & Receipt)
  | ({ readonly kind: 'operators' } & OperatorsProof)
  | ({ readonly kind: 'proved-invite' } & InviteEvidence)
  | { readonly kind: 'drill'; readonly report: Uint8Array };

/** Sealed, in a metadata pack: everything of a snapshot that only a key holder may see. */
export type Root = {
  /** Chunk ids of the root directory's entry stream. */
  readonly tree: readonly Uint8Array[];
  /** Together they locate every chunk of the snapshot. */
  readonly index: readonly IndexSegmentRef[];
  /** As given, not necessarily UTF-8. */
  readonly paths: readonly Uint8Array[];
  /** 32 bytes: keyed BLAKE3 key of the dataset's chunk ids. */
  readonly idKey: Uint8Array;
  /** Files that changed while they were read; at most `unstableMax` are listed. */
  readonly unstable: readonly { readonly path: Uint8Array; readonly reason: string }[];
  readonly host: string;
};

/** An index segment and how many records it has. */
export type IndexSegmentRef = { readonly blob: BlobRef; readonly count: number };

/** How a peer can be reached: its multiaddrs carry no peer id. */
export type Contact = { readonly peer: PeerKey; readonly multiaddrs: readonly string[] };

/** What an invite code says. */
export type InviteCode = {
  readonly cluster: ClusterId;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  readonly site: string;
  readonly region: string;
  readonly roles: readonly Role[];
  readonly notAfterMs: number;
  readonly contacts: readonly Contact[];
};
