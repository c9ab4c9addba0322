import type { AlertReport } from '../../agent/alert-types.ts';
import { pageOf } from './runbook.ts';
import { ago, upper, withCommand } from './words.ts';

/** An alarm for a person. */
export type AlarmCard = {
  readonly key: string;
  readonly text: string;
  readonly command?: string;
  /** "since 3 min", "over since 10 s". */
  readonly when: string;
  readonly isOver: boolean;
  /** Name of the runbook. */
  readonly page?: string;
};

/** Those that ended stay on show for so long: who comes back to the page learns that there was something. */
const shownAfterMs = 60 * 60 * 1000;

/** Those that stand, newest first; then those that ended a short while ago. */
export function alarmCards(alarms: readonly AlertReport[], nowMs: number): AlarmCard[] {
  const standing = alarms.filter(({ clearedMs }) => clearedMs === undefined);
  const over = alarms.filter(
    ({ clearedMs }) => clearedMs !== undefined && nowMs - clearedMs < shownAfterMs,
  );
  return [...standing.toReversed(), ...over.toReversed()].map((alarm) => cardOf(alarm, nowMs));
}

function cardOf(
  { kind, subject, text, sinceMs, clearedMs, runbook }: AlertReport,
  nowMs: number,
): AlarmCard {
  const page = runbook === undefined ? undefined : pageOf(runbook);
  const { text: sentence, command } = withCommand(text);
  const isOver = clearedMs !== undefined;
  return {
    key: `${kind} ${subject} ${sinceMs}`,
    text: upper(sentence),
    ...(command === undefined ? {} : { command }),
    when: isOver
      ? `it was over ${ago(Math.max(0, nowMs - clearedMs))}`
      : `since ${ago(Math.max(0, nowMs - sinceMs))}`,
    isOver,
    ...(page === undefined ? {} : { page }),
  };
}

/** How many stand. */
export function standingCount(alarms: readonly AlertReport[] | undefined): number {
  return (alarms ?? []).filter(({ clearedMs }) => clearedMs === undefined).length;
}
