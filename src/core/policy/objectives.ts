/** What a restore must reach; `detect` and `contain` are of drills that make a fault. */
export type Objectives = {
  readonly rpoMs?: number;
  readonly rtoMs?: number;
  readonly detectMs?: number;
  readonly containMs?: number;
};
