import { idBytes } from '../../core/ids.ts';
import type { Ledger } from '../ledger.ts';
import { type PackSurveyOptions, type Survey, surveyPacks } from './pack-survey.ts';

export type FreshSurveyOptions = PackSurveyOptions & {
  readonly ledger: Pick<Ledger, 'onStatement'>;
};

/**
 * The newest survey of all packs. To make one is to read every list of packs and every word about them, so it is made
 * anew only when something was said, has arrived, or is not needed any more.
 */
export class FreshSurvey {
  readonly #options: FreshSurveyOptions;
  #survey: Survey | undefined;
  #basis = '';
  /** Snapshots and receipts that were accepted since the start. */
  #said = 0;

  constructor(options: FreshSurveyOptions) {
    this.#options = options;
    options.ledger.onStatement(({ statement: { body } }) => {
      if (body.kind === 'manifest' || body.kind === 'receipt') this.#said++;
    });
  }

  /** Another one would find the same as this one. */
  async isCurrent(survey: Survey): Promise<boolean> {
    if (survey !== this.#survey || this.#basis !== this.#basisNow()) return false;
    const { facts } = this.#options;
    for (const fact of survey.missingFacts) if (await facts.has(idBytes(fact))) return false;
    return true;
  }

  async get(): Promise<Survey> {
    if (this.#survey !== undefined && (await this.isCurrent(this.#survey))) return this.#survey;
    // As it is before: what is said while the survey is made may be in it, or not.
    const basis = this.#basisNow();
    const survey = await surveyPacks(this.#options);
    this.#survey = survey;
    this.#basis = basis;
    return survey;
  }

  #basisNow(): string {
    const { ledger, isDiscarded } = this.#options;
    let count = 0;
    let places = 0;
    for (const record of ledger.manifests()) {
      if (isDiscarded(record)) continue;
      count++;
      places += record.statement.sequence;
    }
    return `${this.#said} said, ${count} needed at ${places}`;
  }
}
