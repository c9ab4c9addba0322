import { expect, test } from 'vitest';
import { manifestStream } from '../../../../src/core/format/statement.ts';
import type { AgentKey, DatasetId } from '../../../../src/core/ids.ts';
import {
  AnchorKeeper,
  type AnchorKeeperOptions,
} from '../../../../src/services/control/anchor-keeper.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { PlanCast } from '../../../support/plan-cast.ts';

test('datasets that were backed up at about the same time are all anchored, in whatever order they became known', async () => {
  await using cast = new PlanCast();
  cast.lead('oslo');
  const { agent, control } = cast.actor('oslo');
  const writer = agent.agentKey;
  const ids = ['cc', '0a', 'f7', '51'].map((byte) => byte.repeat(16) as DatasetId);
  const signed = new Map(
    ids.map((dataset) => {
      const at = { dataset, sequence: 1 };
      return [manifestStream(dataset), cast.log.cluster.manifestAt(agent.statementSecret, at)];
    }),
  );
  const record = (id: DatasetId) => ({
    statement: { writer },
    manifest: { dataset: id, sequence: 1 },
    hash: signed.get(manifestStream(id))?.hash,
  });
  const ledger = {
    roster: { datasets: () => ids.map((id) => ({ id, writer })) },
    manifests: (id: DatasetId) => [record(id)],
    read: async (_: AgentKey, stream: string) => [signed.get(stream)?.envelope],
  } as unknown as AnchorKeeperOptions['ledger'];
  const view = {
    assess: async () => ({ state: 'committed' }),
  } as unknown as AnchorKeeperOptions['view'];
  const stop = new AbortController();
  const log = collectingLog();
  const keeper = new AnchorKeeper({ control, ledger, view, clock: cast.clock, log });
  const running = keeper.run({ signal: stop.signal });
  await cast.clock.advance(6_000);
  stop.abort(new Error('stopped'));
  await cast.clock.advance(6_000);
  await running;
  const anchored = ids.map((id) => cast.log.state.anchors.of(writer, id)?.head.sequence);
  expect(anchored).toEqual([1, 1, 1, 1]);
});
