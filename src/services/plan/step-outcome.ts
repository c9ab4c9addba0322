import { utf8 } from '../../base/bytes.ts';
import { controlLimits } from '../../core/format/control-limits.ts';
import { isPrintable } from '../../core/format/field.ts';

/** How an attempt at a step, or at undoing it, has ended. */
export type StepOutcome = {
  readonly state: 'done' | 'failed';
  /** For people; fits a mark: see `detailText`. */
  readonly detail: string;
  /** JSON, at most controlLimits.evidenceSizeMax bytes. */
  readonly evidence: Uint8Array;
};

/** An attempt that has failed without leaving anything to show. */
export function failure(why: string): StepOutcome {
  return { state: 'failed', detail: detailText(why), evidence: new Uint8Array() };
}

/** A text as a mark of the control log may carry it: one line, printable, at most controlLimits.detailSizeMax bytes. */
export function detailText(text: string): string {
  let size = 0;
  let shown = '';
  for (const character of text.toWellFormed()) {
    const one = character === '\n' ? ' ' : isPrintable(character) ? character : '?';
    size += utf8(one).length;
    if (size > controlLimits.detailSizeMax) break;
    shown += one;
  }
  return shown;
}

/** Evidence: some fields, and as much of the end of `output` as fits beside them. */
export function evidenceOf(
  fields: Readonly<Record<string, number | string>>,
  output = '',
): Uint8Array {
  let kept = output.toWellFormed();
  for (;;) {
    const value = kept === '' ? fields : { ...fields, output: kept };
    const bytes = utf8(JSON.stringify(value));
    if (bytes.length <= controlLimits.evidenceSizeMax || kept === '') return bytes;
    // Escapes make text longer, up to six times: so by steps, and not by counting.
    kept = kept.slice(Math.ceil(kept.length / 4)).toWellFormed();
  }
}
