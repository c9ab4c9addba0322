import type { DatasetId } from '../../core/ids.ts';

/** What a validator looks for. */
export const validationChecks = ['continuity', 'signatures', 'decodability', 'locks'] as const;
export type ValidationCheck = (typeof validationChecks)[number];

/** Something that is not as it should be. Names members, datasets and ids; never a file. */
export type ValidationFinding = {
  readonly check: ValidationCheck;
  readonly subject: string;
  readonly detail: string;
};

/** Where the parts of a validation put what they find, and how far they have come. */
export type ValidationProgress = {
  readonly onFinding: (finding: ValidationFinding) => void;
  readonly onStep: (step: { readonly current: string; readonly done: number }) => void;
  readonly signal: AbortSignal;
};

/** Undefined: all datasets. */
export type ValidationScope = { readonly dataset: DatasetId | undefined };
