export type PatienceOptions = {
  /** Of a clock that never goes back. */
  readonly nowMs: () => number;
  /** People know of it already. */
  readonly stands: (kind: string, subject: string) => boolean;
};

export type Sight = {
  readonly kind: string;
  readonly subject: string;
  /** Undefined: nothing is known of it now, and so what people know of stands. */
  readonly isWrong: boolean | undefined;
  /** It must have been wrong for so long, in milliseconds, without a break. */
  readonly afterMs: number;
};

/**
 * Keeps short trouble from people, and does not call it over too early: what they know of stands until it was seen
 * to be well. A host that has just started sees little of the others.
 */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #sinceMs = new Map<string, number>();
  /** Since the last `forgetUnseen`. */
  readonly #seen = new Set<string>();

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** People know of it, and not yet that it is over. */
  isKnown(kind: string, subject: string): boolean {
    return this.#options.stands(kind, subject);
  }

  isOver({ kind, subject, isWrong, afterMs }: Sight): boolean {
    const name = `${kind} ${subject}`;
    this.#seen.add(name);
    if (isWrong !== true) {
      this.#sinceMs.delete(name);
      return isWrong === undefined && this.#options.stands(kind, subject);
    }
    const nowMs = this.#options.nowMs();
    const sinceMs = this.#sinceMs.get(name) ?? nowMs;
    this.#sinceMs.set(name, sinceMs);
    return this.#options.stands(kind, subject) || nowMs - sinceMs >= afterMs;
  }

  /** Once everything was looked at: what is no subject any more begins anew when it is one again. */
  forgetUnseen(): void {
    for (const name of this.#sinceMs.keys()) {
      if (!this.#seen.has(name)) this.#sinceMs.delete(name);
    }
    this.#seen.clear();
  }
}
