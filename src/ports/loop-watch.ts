/** How late the agent's own thread is with what is due: what peers and the control API wait for. */
export interface LoopWatch extends Disposable {
  /** 99th percentile since the watch began, in milliseconds. */
  p99Ms(): number;
}
