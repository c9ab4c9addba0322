import { pause } from '../support/cluster.ts';
import { answered } from './watch.ts';

const answerTimeoutMs = 60_000;
const restMs = 300;

/** Tries until it is done, as people do. @returns the last problem, when it is not done in time */
export async function insist(
  isDone: () => Promise<boolean>,
  withinMs = 90_000,
): Promise<string | undefined> {
  let problem = 'it was refused';
  const endMs = performance.now() + withinMs;
  while (performance.now() < endMs) {
    try {
      if (await answered(isDone(), answerTimeoutMs)) return undefined;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    await pause(restMs);
  }
  return problem;
}
