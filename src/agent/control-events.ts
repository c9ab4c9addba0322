import type { HoldfastError } from '../core/errors.ts';
import { type Exchange, errorFrom } from './control-exchange.ts';
import type { StreamErrorLine } from './control-wire.ts';

/** The events of one streaming request. Returning early closes the connection at once, even amid a `next`. */
export class ControlEvents<T extends object> implements AsyncIterator<T> {
  readonly #exchange: Exchange;
  readonly #lines: AsyncGenerator<T>;
  readonly #lost: () => HoldfastError;
  #isCancelled = false;

  constructor(exchange: Exchange, lost: () => HoldfastError) {
    this.#exchange = exchange;
    this.#lost = lost;
    this.#lines = this.#read();
  }

  async next(): Promise<IteratorResult<T>> {
    try {
      return await this.#lines.next();
    } catch (error) {
      if (this.#isCancelled) return { done: true, value: undefined };
      throw error;
    }
  }

  async return(): Promise<IteratorResult<T>> {
    this.#isCancelled = true;
    this.#exchange.cancel();
    return { done: true, value: undefined };
  }

  async *#read(): AsyncGenerator<T> {
    const response = await this.#exchange.response;
    response.setEncoding('utf8');
    let rest = '';
    const parts = response[Symbol.asyncIterator]() as AsyncIterator<string>;
    for (;;) {
      const part = await parts.next().catch(() => {
        throw this.#lost();
      });
      if (part.done) break;
      const lines = (rest + part.value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield eventFrom<T>(line);
    }
    // A stream ends with a whole line; the HTTP layer has already checked that the agent ended it.
    if (rest !== '') throw this.#lost();
  }
}

function eventFrom<T extends object>(line: string): T {
  const event = JSON.parse(line) as T | StreamErrorLine;
  if ('error' in event && 'type' in event && event.type === 'error') throw errorFrom(event);
  return event as T;
}
