import { AssertionError } from '../base/assert.ts';
import { HoldfastError } from '../core/errors.ts';
import { runbookOfError } from '../core/runbooks.ts';
import type { Output } from './output.ts';
import { withStateFlag } from './state-flag.ts';
import { clean } from './terminal-text.ts';

/** Says what went wrong and what to run next, and returns the exit code that tells the same. */
export async function reportFailure(
  error: unknown,
  output: Output,
  options: { isVerbose: boolean; stateFlag: string },
): Promise<number> {
  const failure = failureOf(error);
  const runbook = runbookOfError(failure.code);
  const next =
    failure.next === undefined ? undefined : withStateFlag(failure.next, options.stateFlag);
  if (output.isJson) {
    const { code, message, details } = failure;
    await output.complainJson({
      message_type: 'exit_error',
      code,
      exit_code: failure.exitCode,
      message,
      ...(next !== undefined && { next }),
      ...(runbook !== undefined && { runbook }),
      ...(Object.keys(details).length > 0 && { details }),
    });
    return failure.exitCode;
  }
  const lines = failure.message.split('\n').map(clean);
  await output.complain(`${output.style('holdfast:', 'red')} ${lines.join('\n')}`);
  if (options.isVerbose) await output.complain(...traceOf(error));
  if (runbook !== undefined) await output.complain(`runbook: ${runbook}`);
  if (next !== undefined) {
    await output.complain(`${output.style('next:', 'bold')} ${clean(next)}`);
  }
  return failure.exitCode;
}

/** Of anything that was thrown. */
function failureOf(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const kind = error instanceof AssertionError ? 'a bug in holdfast' : 'an unexpected error';
  return new HoldfastError('failed', `${kind}: ${reason}`, {
    next: 'run the command again with -v, and report what it prints',
  });
}

/** The chain of causes; of unexpected errors also where they arose. */
function traceOf(error: unknown): string[] {
  const lines: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const text =
      at instanceof HoldfastError ? `${at.code}: ${at.message}` : (at.stack ?? at.message);
    lines.push(...text.split('\n').map((line) => `  ${clean(line)}`));
  }
  return lines;
}
