import { secondMs } from '../../base/units.ts';
import { limits } from '../../core/limits.ts';

/** Handlers of one peer's calls that run at once: an agent that asks much must not starve the others. */
export const callsRunningMax = 16;
/** Calls of one peer that wait for a handler; beyond, streams are reset. */
export const callsWaitingMax = 64;
/** Calls that this side starts at once on a connection; below what the far end takes, so that none is reset. */
export const callsStartedMax = 64;

/** A call stream without calls is given up after this; the server waits longer, so that the client decides. */
export const callStreamIdleMs = 30 * secondMs;
export const callServerIdleMs = 4 * callStreamIdleMs;

/** Pull streams to one peer: enough to fill a line whose window is small against its delay. */
export const pullStreamsMax = 4;
/** Pulls that may wait for a stream to one peer; callers keep far fewer. */
export const pullsWaitingMax = 1024;
/** Replies of one pull stream in memory of the server: one is sent while the next is read from disk. */
export const pullsAheadMax = 2;
/** A pull stream without requests is given up after this; the server waits longer, so that the client decides. */
export const pullStreamIdleMs = 30 * secondMs;
export const pullServerIdleMs = 4 * pullStreamIdleMs;

/** A server whose answer waits for its turn says so this often, well before the client gives up. */
export const pullWaitMs = limits.pullIdleTimeoutMs / 3;
/** An offer is as patient: nobody who only says that it is alive holds a client for longer. */
export const pullWaitsMax = Math.ceil(limits.offerTimeoutMs / pullWaitMs);

/** No progress inside a message for this long resets its stream. */
export const messageIdleMs = limits.requestTimeoutMs;
/** For the last words of a stream after its answer has been sent. */
export const finishMs = 5 * secondMs;
