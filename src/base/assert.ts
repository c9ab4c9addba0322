/** A bug in this program: never caught, stops the agent. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Holds in every correct run; always checked, in production too. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a union as handled completely: reaching it is a bug. */
export function assertNever(value: never): never {
  throw new AssertionError(`unexpected value: ${JSON.stringify(value)}`);
}
