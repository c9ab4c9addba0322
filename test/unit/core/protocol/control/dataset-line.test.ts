import { expect, test } from 'vitest';
import type { AgentKey } from '../../../../../src/core/ids.ts';
import { lineOf, placeIn } from '../../../../../src/core/protocol/control/dataset-line.ts';
import type { Holder } from '../../../../../src/core/protocol/control/incarnation-book.ts';

const a = 'aa'.repeat(32) as AgentKey;
const b = 'bb'.repeat(32) as AgentKey;

function holder(incarnation: number, agent: AgentKey, from?: [AgentKey, number]): Holder {
  const place = from === undefined ? undefined : { writer: from[0], sequence: from[1] };
  return { incarnation, agent, generation: 1, index: 10 * incarnation + 1, from: place };
}

const unknown = (): undefined => undefined;

/** Snapshots as `writer:incarnation:sequence`, of these holders, as far as they stand in the line. */
function standing(holders: readonly Holder[], snapshots: readonly [AgentKey, number, number][]) {
  const line = lineOf(holders, unknown);
  return snapshots
    .filter(
      ([writer, incarnation, sequence]) =>
        placeIn(line, { writer, incarnation, sequence }) !== undefined,
    )
    .map(([writer, incarnation, sequence]) => `${writer[0]}:${incarnation}:${sequence}`);
}

test('before any promotion all that the writer has written is the line', () => {
  expect(
    standing(
      [holder(0, a)],
      [
        [a, 0, 1],
        [a, 0, 9],
        [b, 0, 1],
      ],
    ),
  ).toEqual(['a:0:1', 'a:0:9']);
});

test('a promoted copy goes on from the snapshot that it was restored from; what came after is a side line', () => {
  const holders = [holder(0, a), holder(1, b, [a, 2])];
  const written: [AgentKey, number, number][] = [
    [a, 0, 1],
    [a, 0, 2],
    [a, 0, 3],
    [b, 1, 1],
    [b, 1, 2],
  ];
  expect(standing(holders, written)).toEqual(['a:0:1', 'a:0:2', 'b:1:1', 'b:1:2']);
});

test('a second promotion back goes on with the first writer, without what it wrote meanwhile', () => {
  const holders = [holder(0, a), holder(1, b, [a, 2]), holder(2, a, [b, 1])];
  const written: [AgentKey, number, number][] = [
    [a, 0, 2],
    [a, 0, 3],
    [b, 1, 1],
    [b, 1, 2],
    [a, 2, 4],
  ];
  expect(standing(holders, written)).toEqual(['a:0:2', 'b:1:1', 'a:2:4']);
});

test('a holder that was reinstated goes on with what it had', () => {
  const holders = [holder(0, a), holder(0, a), holder(2, a)];
  expect(
    standing(holders, [
      [a, 0, 1],
      [a, 2, 2],
    ]),
  ).toEqual(['a:0:1', 'a:2:2']);
});

test('a copy that was restored from long ago leaves out what came between', () => {
  const holders = [holder(0, a), holder(1, b, [a, 2]), holder(2, a, [b, 1]), holder(3, b, [a, 1])];
  const line = lineOf(holders, ({ sequence }) => (sequence === 1 ? 0 : undefined));
  expect(placeIn(line, { writer: a, incarnation: 0, sequence: 1 })).toBe(1);
  expect(placeIn(line, { writer: a, incarnation: 2, sequence: 4 })).toBeUndefined();
  expect(placeIn(line, { writer: b, incarnation: 1, sequence: 1 })).toBeUndefined();
});
