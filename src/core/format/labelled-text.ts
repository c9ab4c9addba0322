import type { HoldfastError } from '../errors.ts';

const labelWidth = 14;
const valueWidth = 72 - labelWidth;
const wrapped = new RegExp(`.{1,${valueWidth}}`, 'gu');

/** Lines of a labelled value, for paper of 72 columns. Values are wrapped anywhere: parsing joins the lines again. */
export function labelledLines(name: string, value: string): string[] {
  const parts = value.length <= valueWidth ? [value] : (value.match(wrapped) ?? []);
  return parts.map((part, i) => (i === 0 ? `${name}:` : '').padEnd(labelWidth) + part);
}

export type LabelledField = { readonly label: string; value: string };

/** Text that may have been typed from paper: blank lines, extra spaces, comments and the case of labels do not matter. */
export class LabelledText {
  readonly fields: readonly LabelledField[];
  readonly #refuse: (why: string) => HoldfastError;

  /** @param labels in lower case. @throws what `refuse` makes of a line that is not understood */
  constructor(text: string, labels: readonly string[], refuse: (why: string) => HoldfastError) {
    this.#refuse = refuse;
    this.fields = readFields(text, labels, refuse);
  }

  /** The value of a label that is there once or never, as it was wrapped. */
  only(label: string): string | undefined {
    const found = this.fields.filter((one) => one.label === label);
    if (found.length > 1) throw this.#refuse(`the line "${titleOf(label)}" is there twice`);
    return found[0]?.value;
  }

  /** The same of one that must be there, without its spaces. */
  needed(label: string): string {
    const value = this.only(label)?.replace(/\s+/g, '');
    if (value === undefined || value === '') {
      throw this.#refuse(`the line "${titleOf(label)}" is missing`);
    }
    return value;
  }

  notRight(label: string, form: string): HoldfastError {
    return this.#refuse(`the line "${titleOf(label)}" is not right: ${form}`);
  }

  missing(label: string, before: string): HoldfastError {
    return this.#refuse(`the line "${titleOf(label)}" is missing before "${titleOf(before)}"`);
  }
}

function readFields(
  text: string,
  labels: readonly string[],
  refuse: (why: string) => HoldfastError,
): LabelledField[] {
  const fields: LabelledField[] = [];
  text.split(/\r\n|\r|\n/).forEach((raw, i) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const [, name, value = ''] = /^([A-Za-z]+(?:\s+[A-Za-z]+)*)\s*:(?:\s+(.*))?$/.exec(line) ?? [];
    const label = name?.toLowerCase().replace(/\s+/g, ' ');
    const current = fields.at(-1);
    if (label !== undefined && labels.includes(label)) {
      fields.push({ label, value });
    } else if (label === undefined && current !== undefined) {
      // Only names have spaces of their own, and names are never wrapped.
      current.value += line;
    } else {
      throw refuse(`line ${i + 1} is not understood: "${line.slice(0, 40)}"`);
    }
  });
  return fields;
}

function titleOf(label: string): string {
  return label.charAt(0).toUpperCase() + label.slice(1);
}
