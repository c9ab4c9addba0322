import type { RestoreEvent } from './api.ts';

/** The part of the agent's API that is about restore grants. Keys and hashes in hexadecimal. */
export interface GrantApi {
  /**
   * Asks operators for the keys of a snapshot, for this host or another one.
   * @throws not-found | ambiguous | usage | not-permitted | peer-unreachable | no-quorum
   */
  requestRestore(request: RestoreWish): Promise<RestoreGrantReport>;
  /** Requests and grants that the control log knows, oldest first. */
  restoreGrants(): Promise<RestoreGrantReport[]>;
  /** What resealing the keys of an approved request takes. `id`: whole. @throws not-found */
  grantMaterial(request: { id: string }): Promise<GrantMaterial>;
  /** Bytes of a pack of an approved request's snapshot, sealed as they are; base64. @throws not-found | too-few-shards */
  readPack(request: {
    id: string;
    pack: string;
    offset: number;
    size: number;
  }): Promise<{ bytes: string }>;
  /** Restores what was granted to this host. `id`: whole. */
  restoreGranted(request: GrantedRestoreRequest): AsyncIterable<RestoreEvent>;
}

export type RestoreWish = {
  /** An id, its beginning, or `latest`. */
  snapshot: string;
  dataset?: string;
  /** Within the snapshot; empty: everything. */
  path: string;
  reason: string;
  /** Of log time; as long as the policy allows when left out. */
  lastsMs?: number;
  /** A member's name; this host when left out. */
  host?: string;
};

export type GrantedRestoreRequest = {
  id: string;
  /** Absolute. */
  target: string;
  path?: string;
  include: string[];
  exclude: string[];
};

export type RestoreGrantReport = {
  id: string;
  state:
    | 'requested'
    | 'denied'
    | 'failed'
    | 'approved'
    | 'granted'
    | 'in-use'
    | 'used'
    | 'withdrawn'
    | 'revoked'
    | 'expired';
  /** The host that may restore. */
  agent: string;
  agentKey: string;
  isHere: boolean;
  /** Name of the dataset, as the request gives it. */
  dataset: string;
  datasetId: string;
  /** As this host knows the dataset of that id; undefined: it does not. */
  knownAs?: string;
  snapshot: string;
  path: string;
  reason: string;
  /** Of log time, from the grant on. */
  lastsMs: number;
  approvals: string[];
  needed: number;
  /** Log time at which it expires; undefined: not known yet, or it has ended. */
  endsMs?: number;
  /** Packs whose keys were resealed. */
  packs?: number;
  grantedBy?: string;
  /** Why it has ended. */
  endReason?: string;
};

export type GrantMaterial = {
  grant: RestoreGrantReport;
  recipient: string;
  /** Envelope of the manifest, base64. */
  manifest: string;
  /** Facts that list the packs, in the manifest's order; base64. */
  segments: string[];
};
