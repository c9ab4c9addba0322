import { expect, test } from 'vitest';
import { minuteMs } from '../../../src/base/units.ts';
import { idOf, type PackId, type PeerKey } from '../../../src/core/ids.ts';
import { storageMessages } from '../../../src/core/log-messages/storage.ts';
import type { PullRequest } from '../../../src/ports/network.ts';
import { PeerLines, peerLinesPerMinute } from '../../../src/services/peer-lines.ts';
import { ShardReads } from '../../../src/services/reads/shard-reads.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const greedy = idOf<PeerKey>(new Uint8Array(32).fill(1));
const modest = idOf<PeerKey>(new Uint8Array(32).fill(2));
const clock = new ManualClock();
const written: Record<string, unknown>[] = [];
const log = {
  log: (_level: string, _message: string, context: Readonly<Record<string, unknown>> = {}) => {
    written.push(context);
  },
};

test('a peer has its share of lines, and what is left out of it is told with the next one', async () => {
  written.length = 0;
  const lines = new PeerLines({ clock, log });
  for (let i = 0; i < peerLinesPerMinute + 7; i++) {
    lines.info(greedy, storageMessages.shardsRead, { trace: i });
  }
  expect(written).toHaveLength(peerLinesPerMinute);
  lines.info(modest, storageMessages.shardsRead, { trace: 'a' });
  expect(written.at(-1)).toEqual({ peer: modest, trace: 'a' });
  await clock.advance(minuteMs);
  lines.info(greedy, storageMessages.shardsRead, { trace: 'b' });
  expect(written.at(-1)).toEqual({ peer: greedy, trace: 'b', leftOut: 7 });
});

test('a peer that reads under a new trace each time fills no log', async () => {
  written.length = 0;
  const size = 100;
  const head = { pack: idOf<PackId>(new Uint8Array(32)), index: 0, k: 1, m: 1, size };
  const reply = { bytes: new Uint8Array(size) };
  const reads = new ShardReads({
    serve: {
      callerOf: (peer: PeerKey) => ({
        peer,
        access: 'recovery',
        signal: new AbortController().signal,
      }),
    },
    store: { indexes: () => [0], head: async () => head },
    storage: { serve: async () => reply },
    distributor: { serve: async () => undefined, isFor: () => false },
    rights: { of: async () => ({ kind: 'own' }) },
    guard: { admit: async () => undefined },
    ...{ clock, log },
  } as unknown as ConstructorParameters<typeof ShardReads>[0]);
  for (let i = 0; i < 3 * peerLinesPerMinute; i++) {
    const request = { pack: new Uint8Array(32), index: 0, leaf: 0, count: 1, trace: `${i}` };
    expect(await reads.serve(greedy, request as unknown as PullRequest)).toBe(reply);
  }
  expect(written).toHaveLength(peerLinesPerMinute);
});
