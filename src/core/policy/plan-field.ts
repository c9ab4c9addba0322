import { HoldfastError } from '../errors.ts';
import { isLabel, isPrintable } from '../format/field.ts';

/** The error of one field of a plan or policy, named by its path as a person would write it. */
export function wrongField(path: string, why: string): HoldfastError {
  return new HoldfastError('bad-encoding', `${path}: ${why}`, { details: { field: path } });
}

/** An object being read, which must have no other fields than those that were asked for. */
export class PlanFields {
  readonly path: string;
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #read = new Set<string>();

  constructor(value: unknown, path: string, root = 'plan') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw wrongField(path === '' ? root : path, 'must be an object');
    }
    this.path = path;
    this.#fields = new Map(
      Object.entries(value).filter((entry): boolean => entry[1] !== undefined),
    );
  }

  at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  value(name: string): unknown {
    this.#read.add(name);
    if (!this.#fields.has(name)) throw wrongField(this.at(name), 'is missing');
    return this.#fields.get(name);
  }

  object(name: string): PlanFields {
    return new PlanFields(this.value(name), this.at(name));
  }

  /** The field as a part of an object, or nothing where it is left out. */
  optional<Name extends string, Value>(
    name: Name,
    read: (name: Name) => Value,
  ): { [Key in Name]?: Value } {
    this.#read.add(name);
    return this.#fields.has(name) ? ({ [name]: read(name) } as { [Key in Name]?: Value }) : {};
  }

  text(name: string, lengthMax: number, lengthMin = 1): string {
    return textOf(this.value(name), this.at(name), { min: lengthMin, max: lengthMax });
  }

  label(name: string): string {
    const text = this.text(name, 63);
    if (isLabel(text)) return text;
    throw wrongField(this.at(name), 'must be lower-case letters, digits, ".", "_" or "-"');
  }

  hex<Id extends string>(name: string, size: number): Id {
    const text = this.text(name, 2 * size);
    if (/^[0-9a-f]+$/.test(text) && text.length === 2 * size) return text as Id;
    throw wrongField(this.at(name), `must be ${2 * size} hexadecimal digits, lower case`);
  }

  integer(name: string, min: number, max: number): number {
    const value = this.value(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) {
      return value;
    }
    throw wrongField(this.at(name), `must be a whole number from ${min} to ${max}`);
  }

  word<Word extends string | number>(name: string, words: readonly Word[]): Word {
    const value = this.value(name);
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return word;
    throw wrongField(
      this.at(name),
      `must be one of ${words.map((one) => JSON.stringify(one)).join(', ')}`,
    );
  }

  /** Each item of a list of at most `countMax`. */
  list<Item>(
    name: string,
    bounds: { readonly min: number; readonly max: number },
    read: (value: unknown, path: string) => Item,
  ): Item[] {
    const value = this.value(name);
    if (!Array.isArray(value)) throw wrongField(this.at(name), 'must be a list');
    if (value.length < bounds.min || value.length > bounds.max) {
      const allowed = `${bounds.min} to ${bounds.max}`;
      throw wrongField(this.at(name), `has ${value.length} items, allowed are ${allowed}`);
    }
    return value.map((item, i) => read(item, `${this.at(name)}[${i}]`));
  }

  /** Call last. @throws HoldfastError bad-encoding (a field that nobody asked for) */
  end(): void {
    for (const name of this.#fields.keys()) {
      if (this.#read.has(name)) continue;
      const known = [...this.#read].sort().join(', ');
      throw wrongField(this.at(name), `is not known here, known are ${known}`);
    }
  }

  /** As `end`. @returns what was read */
  endWith<Value>(value: Value): Value {
    this.end();
    return value;
  }
}

/** A text that a terminal shows as it is, of so many UTF-16 units. @throws HoldfastError bad-encoding */
export function textOf(
  value: unknown,
  path: string,
  bounds: { readonly min: number; readonly max: number },
): string {
  if (typeof value !== 'string') throw wrongField(path, 'must be a text');
  if (value.length < bounds.min || value.length > bounds.max) {
    const allowed = `${bounds.min} to ${bounds.max}`;
    throw wrongField(path, `has ${value.length} characters, allowed are ${allowed}`);
  }
  if (!isPrintable(value)) throw wrongField(path, 'has characters that cannot be shown');
  return value;
}
