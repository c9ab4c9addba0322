import { HoldfastError } from '../../core/errors.ts';
import { decodeCommand } from '../../core/format/control-command.ts';
import type { ControlBody } from '../../core/format/control-records.ts';
import type { AgentApi } from '../api.ts';

/**
 * Of two proposals of one thing the second comes to nothing, after people have signed it. With all signatures at
 * one place what is still open need not be waited for.
 * @throws HoldfastError approval-needed
 */
export async function refuseTwin(
  body: ControlBody,
  api: Pick<AgentApi, 'proposals'>,
  isEnough: boolean,
): Promise<void> {
  const proposals = await api.proposals();
  const twin = proposals.find(({ state, command }) => {
    const isInTheWay = state === 'waiting' || (state === 'open' && !isEnough);
    return (
      isInTheWay && isSame(body, decodeCommand(new Uint8Array(Buffer.from(command, 'base64'))).body)
    );
  });
  if (twin === undefined) return;
  const { hash, state, approvals, threshold } = twin;
  const id = hash.slice(0, 8);
  const isWaiting = state === 'waiting';
  const standing = isWaiting
    ? 'has its signatures and waits'
    : `has ${approvals.length} of ${threshold} signatures`;
  throw new HoldfastError(
    'approval-needed',
    `this is proposed already as ${id}, which ${standing}`,
    {
      next: isWaiting
        ? `holdfast approve show ${id}`
        : `another operator: holdfast approve sign ${id} --operator-key FILE`,
      details: { hash, state, signed: approvals.length, threshold },
    },
  );
}

/** For whatever reason. */
function isSame(a: ControlBody, b: ControlBody): boolean {
  const text = (body: ControlBody): string => JSON.stringify({ ...body, reason: '' }, sortedKeys);
  return a.kind === b.kind && text(a) === text(b);
}

function sortedKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
