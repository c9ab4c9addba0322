/** The part of the agent's API that asks what would be if sites failed. */
export interface WhatIfApi {
  /**
   * Each dataset's newest snapshot, judged by the peers that are reachable now and are not at one of these
   * sites. Changes nothing. @throws not-found when the cluster knows no such site
   */
  whatIf(request: { lost: string[] }): Promise<WhatIfReport[]>;
}

export type WhatIfReport = {
  dataset: string;
  datasetId: string;
  source: string;
  /** Undefined: it was never backed up. */
  newest?: {
    snapshot: string;
    isRestorable: boolean;
    /** Negative: not restorable. */
    sitesMayFail: number;
    packs: number;
    lostPacks: number;
    /** What each site has signed for, whether it answers or not. */
    holders: { site: string; packs: number }[];
  };
};
