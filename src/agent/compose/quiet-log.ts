import type { Log } from '../../ports/runtime.ts';

/** For short work at a terminal: what matters is thrown, not logged. */
export const quietLog: Log = { log: () => {} };
