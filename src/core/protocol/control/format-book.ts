import type { BodyOf, ControlBody } from '../../format/control-records.ts';
import { malformed } from '../../format/field.ts';
import { HoldfastError } from '../../errors.ts';
import { type Change, refusal } from './refusal.ts';

/** The newest format of the control log that this software knows; it knows all before it. */
export const knownFormat = 1;

/** The format with which a kind of command came; 1 where nothing is said. */
const formatOfKind: Readonly<Partial<Record<ControlBody['kind'], number>>> = {};

/**
 * Which commands mean something. Members run different versions while they are upgraded, and must reach one state
 * from one log: so what a later version adds is void, for old and new alike, until operators have put the format
 * with which it came into force. From that entry on a version that does not know the format applies nothing.
 */
export class FormatBook {
  #current = 1;

  /** In force. */
  get current(): number {
    return this.#current;
  }

  /** False: what comes now may mean something that this software cannot read. */
  get isKnown(): boolean {
    return this.#current <= knownFormat;
  }

  /** @throws HoldfastError bad-encoding, as a version before this kind would */
  requireInForce({ kind }: ControlBody): void {
    const format = formatOfKind[kind] ?? 1;
    if (format > this.#current) {
      throw malformed(`a command of format ${format}: format ${this.#current} is in force`);
    }
  }

  /** @throws HoldfastError not-permitted */
  check({ version }: BodyOf<'format'>): Change {
    if (version !== this.#current + 1) throw refusal(`format ${this.#current} is in force`);
    return () => {
      this.#current = version;
    };
  }

  /** 0 stands for the first. */
  image(): number {
    return this.#current === 1 ? 0 : this.#current;
  }

  /** @throws HoldfastError outdated-software */
  load(format: number): void {
    this.#current = Math.max(1, format);
    if (!this.isKnown) throw outdatedSoftware(this.#current);
  }
}

/** What this host lacks. */
export function outdatedSoftware(format: number): HoldfastError {
  return new HoldfastError(
    'outdated-software',
    `the control log is of format ${format}, and the software of this host knows ${knownFormat}`,
    {
      next: 'install the version that the other members run (holdfast peer list), and restart',
      details: { format },
    },
  );
}
