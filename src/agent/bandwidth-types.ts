/** The part of the agent's API that is about what it may move. */
export interface BandwidthApi {
  bandwidth(): Promise<BandwidthReport>;
  /** Bytes a second until the agent stops, 0: no limit; without any, the configuration counts again. */
  limitBandwidth(request: { upload?: number; download?: number }): Promise<BandwidthReport>;
}

export type BandwidthReport = {
  upload: DirectionReport;
  download: DirectionReport;
  /** Threads that want to run for each processor of this host, over a minute. */
  load: number;
  /** Of the usual pace of reading back and of repairs, 0 to 1: less while the host is busy. */
  careShare: number;
};

export type DirectionReport = {
  /** Bytes a second, now; 0: no limit. */
  limit: number;
  /** By the configuration, or said since by a person. */
  origin: 'configured' | 'said';
  /** Bytes since the agent has started. */
  moved: { restore: number; repair: number; backup: number; messages: number };
};
