import { describe, expect, test } from 'vitest';
import { refuseTwin } from '../../../../src/agent/compose/proposal-twin.ts';
import type { ProposalReport } from '../../../../src/agent/trust-types.ts';
import { encodeCommand } from '../../../../src/core/format/control-command.ts';
import type { CommandId, ControlBody } from '../../../../src/core/format/control-records.ts';

const release = (reason: string, hold = '9f'.repeat(16)): ControlBody => ({
  ...{ kind: 'release', hold: hold as CommandId, reason },
});

function proposed(state: ProposalReport['state'], body: ControlBody): ProposalReport {
  const bytes = encodeCommand({ id: '01'.repeat(16) as CommandId, timeMs: 1, body });
  return {
    ...{ hash: 'cd'.repeat(32), kind: body.kind, words: '', generation: 1, state, threshold: 2 },
    command: Buffer.from(bytes).toString('base64'),
    approvals: [{ name: 'ada', key: 'a', timeMs: 1 }],
    ...{ counted: 1, denials: [], lengthMs: 1, index: 1 },
  };
}

const among = (...all: ProposalReport[]) => ({ proposals: async () => all });

describe('what is proposed already', () => {
  test('is not proposed again, for whatever reason: its id is named instead', async () => {
    const there = among(proposed('open', release('case 12 is closed')));
    await expect(refuseTwin(release('closed'), there, false)).rejects.toMatchObject({
      code: 'approval-needed',
      message: 'this is proposed already as cdcdcdcd, which has 1 of 2 signatures',
      next: 'another operator: holdfast approve sign cdcdcdcd --operator-key FILE',
    });
  });

  test('does not stand in the way of who has all signatures, unless it waits', async () => {
    await refuseTwin(release('x'), among(proposed('open', release('y'))), true);
    const waiting = among(proposed('waiting', release('y')));
    await expect(refuseTwin(release('x'), waiting, true)).rejects.toMatchObject({
      next: 'holdfast approve show cdcdcdcd',
    });
  });

  test('counts while it is under way, and for the same thing', async () => {
    const others = among(
      ...(['done', 'failed', 'denied', 'vetoed', 'expired'] as const).map((state) =>
        proposed(state, release('y')),
      ),
      proposed('open', release('y', 'aa'.repeat(16))),
    );
    await refuseTwin(release('x'), others, false);
  });
});
