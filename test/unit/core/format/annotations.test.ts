import { expect, test } from 'vitest';
import { annotationsMax, annotationsOf } from '../../../../src/core/format/manifest.ts';
import { decodeStatement, encodeStatement } from '../../../../src/core/format/statement.ts';
import { manifestBody, outcomeOf, statementOf } from './samples.ts';

const sample = [
  { key: 'change', value: 'CHG 4711' },
  { key: 'deploy', value: 'v1.2' },
];

test('annotations of a manifest come back as they were, and none are no annotations', () => {
  const said = { ...manifestBody, annotations: sample };
  expect(decodeStatement(encodeStatement(statementOf(said))).body).toEqual(said);
  const { body } = decodeStatement(encodeStatement(statementOf(manifestBody)));
  expect(body).not.toHaveProperty('annotations');
});

test('what people give is put into the order of a manifest', () => {
  expect(annotationsOf({ deploy: 'v1.2', change: 'CHG 4711' })).toEqual(sample);
});

test.each([
  ['that do not ascend', [...sample].reverse()],
  ['of one key twice', [sample[0], sample[0]]],
  ['with a key that is none', [{ key: 'Deploy!', value: 'x' }]],
  ['without a value', [{ key: 'deploy', value: '' }]],
  ['that break lines', [{ key: 'deploy', value: 'a\nb' }]],
  ['with a value that is too long', [{ key: 'deploy', value: 'x'.repeat(129) }]],
  [
    'that are too many',
    Array.from({ length: annotationsMax + 1 }, (_, i) => ({ key: `k${i + 10}`, value: 'x' })),
  ],
])('annotations %s are refused', (_, annotations) => {
  const body = { ...manifestBody, annotations } as typeof manifestBody;
  expect(outcomeOf(() => encodeStatement(statementOf(body)))).toBe('bad-encoding');
});
