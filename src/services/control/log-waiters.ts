import { HoldfastError } from '../../core/errors.ts';
import type { CommandId } from '../../core/format/control-records.ts';
import type { ApplyOutcome, ControlState } from '../../core/protocol/control/control-state.ts';
import type { Cancel, Clock } from '../../ports/runtime.ts';

export type Applied = ApplyOutcome & { readonly index: number };

/** Those who wait for something to be applied here. */
export class LogWaiters {
  readonly #commands = new Map<CommandId, PromiseWithResolvers<Applied>>();
  readonly #indexes = new Set<{ index: number; resolve: () => void }>();

  /** The outcome of the first entry with this command that is applied from now on. */
  command(id: CommandId): Promise<Applied> {
    const known = this.#commands.get(id) ?? Promise.withResolvers<Applied>();
    this.#commands.set(id, known);
    return known.promise;
  }

  forget(id: CommandId): void {
    this.#commands.delete(id);
  }

  index(index: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#indexes.add({ index, resolve });
    return promise;
  }

  appliedCommand(id: CommandId, applied: Applied): void {
    this.#commands.get(id)?.resolve(applied);
    this.#commands.delete(id);
  }

  /** Several entries at once, whose outcomes the state remembers: it has come as an image. */
  appliedIn(state: ControlState): void {
    for (const id of this.#commands.keys()) {
      const applied = state.outcomeOf(id);
      if (applied !== undefined) this.appliedCommand(id, applied);
    }
  }

  get isAny(): boolean {
    return this.#commands.size > 0 || this.#indexes.size > 0;
  }

  appliedUpTo(index: number): void {
    for (const waiting of this.#indexes) {
      if (waiting.index > index) continue;
      this.#indexes.delete(waiting);
      waiting.resolve();
    }
  }
}

/** What is promised, or `undefined` when it takes longer. @throws the signal's reason */
export async function within<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  { signal }: Cancel = {},
): Promise<T | undefined> {
  const over = new AbortController();
  const both = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  try {
    const late = clock.sleep(Math.max(0, ms), { signal: both }).then(() => undefined);
    late.catch(() => {});
    return await Promise.race([promise, late]);
  } finally {
    over.abort(notAwaited);
  }
}

/** Nobody sees it, and to make one takes longer than most waits. */
const notAwaited = new HoldfastError('interrupted', 'no longer waited for');
