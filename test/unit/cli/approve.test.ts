import { describe, expect, it } from 'vitest';
import type { ProposalReport } from '../../../src/agent/trust-types.ts';
import { encodeCommand } from '../../../src/core/format/control-command.ts';
import type { CommandId, ControlBody } from '../../../src/core/format/control-records.ts';
import type { AgentKey, ClusterId, DatasetId, StatementHash } from '../../../src/core/ids.ts';
import { commandHash } from '../../../src/core/protocol/control/evidence.ts';
import { jsonLines, run, withAgent } from './fake-world.ts';

const clusterId = 'fd'.repeat(32) as ClusterId;
const recipient = `age1pq1${'q'.repeat(1952)}`;
const body: ControlBody = {
  ...{ kind: 'restore-request', agent: 'aa'.repeat(32) as AgentKey, name: 'home' },
  ...{ dataset: 'bb'.repeat(16) as DatasetId, writer: 'cc'.repeat(32) as AgentKey },
  ...{ snapshot: 'dd'.repeat(32) as StatementHash, path: '/home', recipient },
  ...{ lastsMs: 600_000, reason: 'disk died' },
};
const bytes = encodeCommand({ id: '01'.repeat(16) as CommandId, timeMs: 1, body });
const hash = commandHash(bytes, { cluster: clusterId, generation: 1 });

const proposal: ProposalReport = {
  ...{ hash, kind: body.kind, words: 'let attic restore /home', generation: 1, state: 'open' },
  command: Buffer.from(bytes).toString('base64'),
  approvals: [
    { name: 'cleo (a2fb27ec)', key: 'c', timeMs: 1 },
    { name: 'ada (42dbe184)', key: 'a', timeMs: 2 },
  ],
  ...{ counted: 1, threshold: 2, denials: [], lengthMs: 1, index: 1 },
};

const cli = (args: string[], one = proposal) =>
  run(['approve', ...args], {
    backend: withAgent({
      proposals: async () => [one],
      coordinator: async () => ({ clusterId }) as never,
    }),
  });

describe('approve list', () => {
  it('counts only the signatures that count: the policy may name who approves', async () => {
    expect((await cli(['list'])).out).toMatch(/open +1 of 2 /);
  });

  it('says of what has ended how many had signed, whatever must sign today', async () => {
    const done = { ...proposal, state: 'done', counted: 2, threshold: 1 } as const;
    expect((await cli(['list'], done)).out).toMatch(/done +2 +- /);
  });
});

describe('approve show', () => {
  it('shortens a recipient that fills the screen, and has it whole in JSON', async () => {
    const { out } = await cli(['show', hash.slice(0, 8)]);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(120);
    expect(out).toContain(`"${recipient.slice(0, 40)}... (1959 characters; whole with --json)"`);
    const json = await cli(['show', hash.slice(0, 8), '--json']);
    expect(jsonLines(json.out)[0]).toMatchObject({ body: { recipient } });
  });
});
