/** The part of the agent's API that is about where this host keeps what it holds. */
export interface StoreApi {
  /** `isNow`: what is due is moved at once. @throws not-permitted (it stores nothing) | usage (it has no cold store) */
  stores(request: { isNow: boolean }): Promise<StoresReport>;
}

export type StoresReport = {
  /** On this host's own disk. */
  warm: { shards: number; bytes: number; freeBytes: number };
  /** Of this disk: what is there only for full copies. */
  hot?: { shards: number; bytes: number };
  cold?: ColdStoreReport;
  /** Full copies that the policy wants, at whatever site. */
  copies: (HotCopyReport & { dataset: string })[];
};

/** How far the full copy of a dataset at one site is. */
export type HotCopyReport = {
  site: string;
  packs: number;
  /** Packs that one host there holds whole. */
  copied: number;
  missingBytes: number;
  /** Why not everything is made, if that is known. */
  problem?: string;
  /** "hot: full copy at ams1, 100 %". */
  words: string;
};

export type ColdStoreReport = {
  /** "s3://bucket/prefix" or a directory. */
  name: string;
  shards: number;
  bytes: number;
  /** Of one read. */
  delayMs: number;
  /** As configured: "0.09 EUR". */
  pricePerGiB?: string;
  /** Packs that are to be moved. */
  waiting: number;
  isMoving: boolean;
  /** Since the agent has started. */
  movedOut: number;
  movedBack: number;
  movedBytes: number;
  /** Why the last round did not do all that it should. */
  problem?: string;
};
