import { concat, fromUtf8, utf8 } from '../base/bytes.ts';
import type { KeyValue } from '../ports/key-value.ts';

const prefix = utf8('first-seen/');

/** When something was met on this host for the first time, over restarts. Losing it starts the time anew. */
export class FirstSeen {
  readonly #index: KeyValue;
  readonly #nowMs: () => number;

  constructor(index: KeyValue, nowMs: () => number) {
    this.#index = index;
    this.#nowMs = nowMs;
  }

  /** By this host's clock of then; durable when resolved. */
  async of(name: string): Promise<number> {
    const key = concat([prefix, utf8(name)]);
    const stored = this.#index.get(key);
    const knownMs = stored === undefined ? Number.NaN : Number(fromUtf8(stored));
    if (Number.isFinite(knownMs)) return knownMs;
    const nowMs = this.#nowMs();
    await this.#index.batch([{ type: 'put', key, value: utf8(String(nowMs)) }], { durable: true });
    return nowMs;
  }
}
