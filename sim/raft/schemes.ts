import type { Scheme, SchemeTools } from './scheme.ts';
import { RivalChanges, TwoChanges, UndoneChange } from './scheme-changes.ts';
import { FigureEight, LongTail } from './scheme-commits.ts';
import { LostEntry, NewestLearner } from './scheme-damage.ts';
import { OldAnswers } from './scheme-old-answers.ts';
import { LateAnswers, OldTerm, StaleRead } from './scheme-reads.ts';

type SchemeClass = new (tools: SchemeTools) => Scheme;

const schemes = {
  'figure-8': FigureEight,
  'late-answers': LateAnswers,
  'long-tail': LongTail,
  'lost-entry': LostEntry,
  'newest-learner': NewestLearner,
  'old-answers': OldAnswers,
  'old-term': OldTerm,
  'rival-changes': RivalChanges,
  'stale-read': StaleRead,
  'two-changes': TwoChanges,
  'undone-change': UndoneChange,
} satisfies Record<string, SchemeClass>;

export type SchemeKind = keyof typeof schemes;

export const schemeKinds = Object.keys(schemes) as readonly SchemeKind[];

export function schemeOf(kind: SchemeKind, tools: SchemeTools): Scheme {
  return new schemes[kind](tools);
}
