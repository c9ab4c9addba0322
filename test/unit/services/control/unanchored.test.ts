import { expect, test } from 'vitest';
import type { ControlBody } from '../../../../src/core/format/control-records.ts';
import { manifestStream } from '../../../../src/core/format/statement.ts';
import type { DatasetId } from '../../../../src/core/ids.ts';
import { AnchorKeeper } from '../../../../src/services/control/anchor-keeper.ts';
import { anchoredFirst } from '../../../../src/services/control/unanchored.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { PlanCast } from '../../../support/plan-cast.ts';

const dataset = 'cc'.repeat(16) as DatasetId;

/** A host with one committed snapshot that the log does not have, and who may anchor it. */
async function opened(
  cast: PlanCast,
  { state = 'committed', isHeard = true }: { state?: string; isHeard?: boolean } = {},
) {
  cast.lead('oslo');
  const { agent, control } = cast.actor('oslo');
  const writer = agent.agentKey;
  const at = { dataset, sequence: 1 };
  const { envelope, hash } = cast.log.cluster.manifestAt(agent.statementSecret, at);
  const record = { statement: { writer }, manifest: { dataset, sequence: 1 }, hash };
  const known = isHeard ? [record] : [];
  const options = {
    peers: { reachable: () => [{ peerKey: 'source' }] },
    sync: {
      withPeer: async () => {
        if (known.length === 0) known.push(record);
      },
    },
    control: Object.assign(control, { status: () => ({ leader: writer }) }),
    ledger: {
      roster: { datasets: () => [{ id: dataset, writer }] },
      manifests: () => [...known],
      read: async (_: unknown, stream: string) =>
        stream === manifestStream(dataset) ? [envelope] : [],
    },
    view: { assess: async () => ({ state }) },
    clock: cast.clock,
    log: collectingLog(),
  } as unknown as ConstructorParameters<typeof AnchorKeeper>[0] &
    Parameters<typeof anchoredFirst>[0];
  const stop = new AbortController();
  return { writer, options, stop, anchored: () => cast.log.state.anchors.of(writer, dataset) };
}

const expel = (agent: string): ControlBody =>
  ({ kind: 'expel', agent, reason: 'taken over' }) as ControlBody;

test('whoever is put out has its newest committed snapshot anchored first', async () => {
  await using cast = new PlanCast();
  const { writer, options, stop, anchored } = await opened(cast);
  const waiting = anchoredFirst(options, expel(writer));
  let isOver = false;
  void waiting.then(() => {
    isOver = true;
  });
  await cast.clock.advance(1_000);
  expect(isOver).toBe(false);
  const running = new AnchorKeeper(options).run({ signal: stop.signal });
  await cast.clock.advance(1_000);
  expect(anchored()?.head.sequence).toBe(1);
  expect(await waiting).toEqual([]);
  stop.abort(new Error('stopped'));
  await cast.clock.advance(6_000);
  await running;
});

test('what only its source knows yet is asked for', async () => {
  await using cast = new PlanCast();
  const { writer, options } = await opened(cast, { isHeard: false });
  const waiting = anchoredFirst(options, expel(writer));
  await cast.clock.advance(11_000);
  expect(await waiting).toHaveLength(1);
});

test('nobody who is silent holds it up for long', async () => {
  await using cast = new PlanCast();
  const { writer, options } = await opened(cast, { state: 'staged' });
  const silent = { ...options, sync: { withPeer: () => new Promise<never>(() => undefined) } };
  let isOver = false;
  void anchoredFirst(silent, expel(writer)).then(() => {
    isOver = true;
  });
  await cast.clock.advance(2_500);
  expect(isOver).toBe(false);
  await cast.clock.advance(1_000);
  expect(isOver).toBe(true);
});

test('a thief is not left in for longer where nobody anchors', async () => {
  await using cast = new PlanCast();
  const { writer, options } = await opened(cast);
  const waiting = anchoredFirst(options, expel(writer));
  await cast.clock.advance(11_000);
  expect(await waiting).toHaveLength(1);
});

test('what is not committed yet may become so in a moment', async () => {
  await using cast = new PlanCast();
  const { writer, options } = await opened(cast, { state: 'placed' });
  const waiting = anchoredFirst(options, expel(writer));
  await cast.clock.advance(11_000);
  expect(await waiting).toHaveLength(1);
});

test('what ends nobody, and what cannot be restored, waits for nothing', async () => {
  await using cast = new PlanCast();
  const { writer, options } = await opened(cast, { state: 'staged' });
  expect(await anchoredFirst(options, expel(writer))).toEqual([]);
  const roles = { kind: 'roles', agent: writer, add: [], remove: ['storage'] } as ControlBody;
  expect(await anchoredFirst(options, roles)).toEqual([]);
});
