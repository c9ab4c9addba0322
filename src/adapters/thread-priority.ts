import { readlinkSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';

/** Enough that a thread which wakes up goes before this one at once; of an idle processor this one has all. */
const behind = 5;
/** There is none lower. */
const lowest = 19;

/**
 * Makes the calling worker thread stand back behind the threads that keep the default priority: the main one above all,
 * which hands out the work and answers the network. On Linux, where a thread has a priority of its own; elsewhere, and
 * where that is not allowed, nothing happens.
 */
export function standBack(): void {
  if (process.platform !== 'linux') return;
  try {
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    setPriority(thread, Math.min(lowest, getPriority(thread) + behind));
  } catch {
    // It works as well at the default priority, only not as smoothly.
  }
}
