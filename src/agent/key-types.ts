/** The part of the agent's API that is about who can open what. Keys in hexadecimal, records in base64. */
export interface KeyApi {
  /** As this host has applied the control log. */
  keys(): Promise<KeysReport>;
  /** Begins a new key epoch of a dataset of this host. @throws not-found | ambiguous | not-permitted | no-quorum */
  rotateKey(request: {
    dataset: string;
    isFresh: boolean;
  }): Promise<{ name: string; epoch: number }>;
  /** Everything that is needed to wrap epochs anew: sealed, all of it. */
  keyMaterial(): Promise<KeyMaterial>;
  /** Keeps key records for a change that is about to be decided. Durable when resolved. */
  stageKeyRecords(request: { records: string[] }): Promise<{ hashes: string[] }>;
  /** The change was refused. */
  unstageKeyRecords(request: { hashes: string[] }): Promise<void>;
  /** How far the records in force have spread. */
  keyHolders(request: { epochs: EpochText[] }): Promise<KeyHolders>;
}

export type EpochText = { writer: string; dataset: string; epoch: number };

export type KeyHolders = {
  /** Members that answered and hold all of them, this host included. */
  held: number;
  asked: number;
  members: number;
};

export type RecipientReport = { name: string; recipient: string; id: string };

export type KeysReport = {
  version: number;
  kit: {
    version: number;
    /** Beginning of the hash of its recipient. */
    id: string;
    /** By the first operator's clock; 0 for the first kit. */
    timeMs: number;
  };
  /** Of all datasets, beside the kit. */
  recipients: RecipientReport[];
  datasets: DatasetKeys[];
  /** Undefined: the kit was never split. */
  escrow?: EscrowReport;
  /** Among whom it shall be split, as the cluster was founded; undefined: nobody was named. */
  custody?: { threshold: number; custodians: { name: string; recipient?: string }[] };
};

export type DatasetKeys = {
  name: string;
  id: string;
  source: string;
  writer: string;
  /** Of this dataset alone. */
  recipients: RecipientReport[];
  /** Oldest first. */
  epochs: KeyEpochReport[];
};

export type KeyEpochReport = {
  epoch: number;
  timeMs: number;
  isCurrent: boolean;
  /**
   * Held: its record is here. Missing: it has not come yet. Statement: from before key records; it cannot be
   * deleted. Destroyed: nobody has it any more.
   */
  record: 'held' | 'missing' | 'statement' | 'destroyed';
  /** Of the kit that the record is for; 0 where that is not known. */
  kitVersion: number;
  /** The record is not for the kit and the recipients that count now. */
  isStale: boolean;
  /** Names, or beginnings of hashes, of those beside the kit whom the record is for. */
  recipients: string[];
  /** That need this epoch. */
  snapshots: number;
  /** Of these, such as were made in a later epoch. */
  snapshotsLater: number;
  isNeededByNewest: boolean;
  /** Until when this host locks one of them so that nobody may end it, in milliseconds since 1970. */
  complianceUntilMs?: number;
  destroyed?: { timeMs: number; reason: string; by: string[] };
};

export type EscrowReport = {
  id: string;
  threshold: number;
  kitVersion: number;
  /** The kit was renewed since: these shares open nothing. */
  isOutdated: boolean;
  timeMs: number;
  /** See EscrowState of core/policy/escrow-health. */
  state: 'recoverable' | 'due' | 'overdue' | 'bare' | 'lost';
  /** What a person should do; undefined: nothing. */
  words?: string;
  /** Custodians that have shown their share lately, or have had no time yet to do so. */
  alive: number;
  custodians: CustodianReport[];
};

export type CustodianReport = {
  share: number;
  name: string;
  commitment: string;
  /** Undefined: never. */
  provedMs?: number;
  dueMs: number;
  isOverdue: boolean;
};

export type KeyMaterial = {
  version: number;
  kit: { version: number; recipient: string };
  forAll: { name: string; recipient: string }[];
  epochs: EpochMaterial[];
  /** For a new kit. */
  members: { peerKey: string; addresses: string[] }[];
};

export type EpochMaterial = EpochText & {
  datasetName: string;
  /** age recipient of the epoch. */
  recipient: string;
  /** Hash of the record in force; undefined: the identity stands in the statement. */
  inForce?: string;
  isStale: boolean;
  /** age files that hold the identity, base64; none while the record has not come. */
  files: string[];
  /** Recipients of its dataset alone. */
  own: { name: string; recipient: string }[];
};
