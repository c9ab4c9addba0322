import { setImmediate } from 'node:timers/promises';

/** Of the thread that runs this: for turns of work that is done here. */
export const threadTime = {
  monotonicMs: (): number => performance.now(),
  sleep: (): Promise<void> => setImmediate(),
};
