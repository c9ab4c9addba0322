import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { StatementSchema } from '../../../../src/core/format/gen/holdfast/v1/cluster_pb.js';
import type { StatementBody } from '../../../../src/core/format/records.ts';
import {
  decodeStatement,
  encodeStatement,
  manifestStream,
} from '../../../../src/core/format/statement.ts';
import { idOf } from '../../../../src/core/ids.ts';
import { bodies, filled, manifestBody, outcomeOf, statementOf } from './samples.ts';

const kinds = Object.keys(bodies) as StatementBody['kind'][];

test.each(kinds)('a statement with a body of kind %s comes back as it was', (kind) => {
  const statement = statementOf(bodies[kind]);
  expect(decodeStatement(encodeStatement(statement))).toEqual(statement);
});

test('the first manifest of a dataset has no previous one', () => {
  const first = { ...manifestBody, sequence: 1, previous: undefined };
  expect(decodeStatement(encodeStatement(statementOf(first))).body).toEqual(first);
  expect(outcomeOf(() => encodeStatement(statementOf({ ...manifestBody, sequence: 1 })))).toBe(
    'bad-encoding',
  );
  expect(
    outcomeOf(() => encodeStatement(statementOf({ ...manifestBody, previous: undefined }))),
  ).toBe('bad-encoding');
});

test('the stream of manifests names the dataset in hexadecimal', () => {
  expect(manifestStream(idOf(filled(0xab, 16)))).toBe(`manifests/${'ab'.repeat(16)}`);
});

test('a later entry names the one before, the first names none', () => {
  const first = statementOf(bodies.address);
  const later = { ...first, sequence: 2, previous: filled(9) };
  expect(decodeStatement(encodeStatement(later)).previous).toEqual(filled(9));
  expect(outcomeOf(() => encodeStatement({ ...later, previous: filled(0) }))).toBe('bad-encoding');
  expect(outcomeOf(() => encodeStatement({ ...later, sequence: 1 }))).toBe('bad-encoding');
});

describe('a statement is refused', () => {
  const other = idOf<typeof manifestBody.dataset>(filled(99, 16));
  const { invite, address, dataset, receipt } = bodies;
  const wrong: [string, object][] = [
    ['in the stream of another matter', { ...statementOf(receipt), stream: 'cluster' }],
    [
      'in the stream of another dataset',
      { ...statementOf(manifestBody), stream: manifestStream(other) },
    ],
    ['with a time before 1970', { ...statementOf(address), timeMs: -1 }],
    ['with an unknown role', statementOf({ ...invite, roles: ['king'] } as never)],
    ['with a role named twice', statementOf({ ...invite, roles: ['relay', 'relay'] } as never)],
    ['with no role', statementOf({ ...invite, roles: [] } as never)],
    ['with a site that is no label', statementOf({ ...invite, site: '../oslo' } as never)],
    [
      'with an address that is no multiaddr',
      statementOf({ ...address, multiaddrs: ['x'] } as never),
    ],
    ['with a name that hides text', statementOf({ ...dataset, name: 'a\u202eb' } as never)],
    ['with a name of control characters', statementOf({ ...dataset, name: 'a\u001b[2J' } as never)],
    [
      'with a name over 128 characters',
      statementOf({ ...dataset, name: 'n'.repeat(129) } as never),
    ],
    [
      'with an average that is no power of two',
      statementOf({ ...dataset, chunkAverage: 300000 } as never),
    ],
    ['with a least chunk over the average', statementOf({ ...dataset, chunkMin: 524288 } as never)],
    ['with a chunk over a frame', statementOf({ ...dataset, chunkMax: 2097152 } as never)],
    ['with a tag that has a comma', statementOf({ ...manifestBody, tags: ['a,b'] })],
    [
      'with a root outside its frame',
      statementOf({ ...manifestBody, root: { ...manifestBody.root, offset: 2 ** 20 } }),
    ],
    [
      'with an empty pack segment',
      statementOf({ ...manifestBody, packSegments: [{ hash: idOf(filled(1)), count: 0 }] }),
    ],
  ];

  test.each(wrong)('%s', (_what, statement) => {
    expect(outcomeOf(() => encodeStatement(statement as never))).toBe('bad-encoding');
  });

  test('with an admission whose descriptor is none', () => {
    const body = { ...bodies.admission, descriptor: filled(1, 3) } as StatementBody;
    expect(outcomeOf(() => encodeStatement(statementOf(body)))).toBe('bad-encoding');
  });

  test('with nothing that this version knows', () => {
    const fields = { writer: filled(1), stream: 'cluster', sequence: 1n, previous: filled(0) };
    const payload = toBinary(StatementSchema, create(StatementSchema, fields));
    expect(() => decodeStatement(payload)).toThrow('says nothing that this version knows');
  });

  test('over the size of an envelope', () => {
    expect(outcomeOf(() => decodeStatement(new Uint8Array(256 * 1024 + 1)))).toBe('bad-encoding');
  });
});
