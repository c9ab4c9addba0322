export const faultKinds = ['kill', 'wipe', 'flip', 'cut', 'freeze'] as const;

export type FaultKind = (typeof faultKinds)[number];

/** Something that was done to a site. Times in milliseconds since the soak began. */
export type Fault = {
  readonly kind: FaultKind;
  readonly site: string;
  readonly atMs: number;
  detail: string;
  /** When it was over by itself: the agent runs, the cable is mended. Undefined: it mends by nobody but the cluster. */
  endedMs?: number;
  /** When somebody of the cluster knew. */
  detectedMs?: number;
  /** When everything was whole again, in the eyes of everybody. */
  mendedMs?: number;
};
