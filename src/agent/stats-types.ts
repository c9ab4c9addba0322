/** The part of the agent's API that says what is stored, and what of it is of use. */
export interface StatsApi {
  /**
   * As this host knows it; of own datasets by its index. Reads no shard. `dataset`: only of this one.
   * @throws HoldfastError not-found | ambiguous
   */
  stats(request: { dataset?: string }): Promise<StatsReport>;
}

export type StatsReport = {
  datasets: DatasetStats[];
  peers: PeerStats[];
  /** Lists of packs that have not arrived here: what they name is not counted. */
  missingLists: number;
};

/** Of the snapshots that are kept: those in the trash count as dead. */
export type DatasetStats = {
  name: string;
  id: string;
  source: string;
  snapshots: number;
  /** What restoring every snapshot would write. */
  restoredBytes: number;
  packs: number;
  /** Sealed, before coding; with metadata. */
  packBytes: number;
  dataPackBytes: number;
  /** Shards and copies that members have signed for. */
  storedBytes: number;
  /** Of data packs that would gain by the code that the sites of today allow, before coding. */
  oldCodeBytes: number;
  /** Per byte of data packs; undefined: there is none. */
  expansion?: number;
  /** The part of it that is there only for full copies; undefined: nothing. */
  hotExpansion?: number;
  /** Packs that only discarded snapshots name, before coding; undefined: this host cannot tell. */
  deadPackBytes?: number;
  /** By the source's index; undefined: another host is the source. */
  content?: ContentStats;
  /** The same. */
  mostlyDead?: MostlyDeadStats;
};

/** Each chunk of file content counted once. */
export type ContentStats = {
  chunks: number;
  chunkBytes: number;
  /** Compressed and sealed. */
  frameBytes: number;
};

/** Of data packs that are mostly dead: what the newest snapshot needs of them is stored anew some day, and they go. */
export type MostlyDeadStats = {
  packs: number;
  /** Before coding. */
  bytes: number;
  /** The part of them that the newest snapshot does not need, about. */
  unusedBytes: number;
};

export type PeerStats = {
  name: string;
  site: string;
  /** Of shards that it has signed for in receipts. */
  signedBytes: number;
  /** Of all shards that it holds, by its own word; undefined: it has not said. */
  shardBytes?: number;
  freeBytes?: number;
  /** `storage.limit` of its configuration; undefined: none, or it has not said. */
  quotaBytes?: number;
  /** `storage.reserve`; undefined: it has not said. */
  reserveBytes?: number;
};

/** What walking every snapshot has shown: needs a key. */
export type DatasetUse = {
  name: string;
  id: string;
  /** Snapshots that were walked; those that nobody can open are left out. */
  snapshots: number;
  data: UseStats;
  metadata: UseStats;
};

export type UseStats = ContentStats & {
  deadChunks: number;
  deadChunkBytes: number;
  /** What dead chunks take in sealed frames, before coding. */
  deadFrameBytes: number;
};
