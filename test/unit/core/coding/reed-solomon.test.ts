import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../../../src/base/bytes.ts';
import {
  type Kernel,
  type KernelKind,
  loadKernel,
} from '../../../../src/core/coding/kernels/kernel.ts';
import { kernelCombine, plainCombine } from '../../../../src/core/coding/linear-combination.ts';
import {
  codingMatrix,
  encodeParity,
  reconstruct,
} from '../../../../src/core/coding/reed-solomon.ts';
import { byteStream, bytesOf } from '../../../support/byte-stream.ts';
import { expectSame } from '../../../support/same-bytes.ts';
import vectors from '../../../vectors/reed-solomon.json' with { type: 'json' };

function shardsOf(k: number, m: number, size = 32): Uint8Array[] {
  const data = Array.from({ length: k }, (_, index) => byteStream(`shard ${index}`, size));
  return [...data, ...encodeParity(data, m)];
}

/** All ways to pick `count` of the numbers below `from`. */
function* subsets(from: number, count: number, start = 0): Generator<number[]> {
  if (count === 0) yield [];
  else {
    for (let first = start; first <= from - count; first++) {
      for (const rest of subsets(from, count - 1, first + 1)) yield [first, ...rest];
    }
  }
}

test.each(vectors.cases)('a $k + $m code gives the parity of the vector', (vector) => {
  expect(codingMatrix(vector.k, vector.m).map(toHex)).toEqual(vector.matrix);
  expect(encodeParity(vector.data.map(bytesOf), vector.m).map(toHex)).toEqual(vector.parity);
});

describe.each<KernelKind>(['relaxed-simd', 'simd'])('code compiled for %s', (kind) => {
  const kernel = loadKernel(kind);
  const combine = kernelCombine(kernel as Kernel);

  test.each(vectors.cases)(
    'gives the parity of the vector of $k + $m, as plain code does',
    (vector) => {
      const data = vector.data.map(bytesOf);
      expect(encodeParity(data, vector.m, combine).map(toHex)).toEqual(vector.parity);
      expect(encodeParity(data, vector.m, plainCombine).map(toHex)).toEqual(vector.parity);
    },
  );

  test.each([
    [1, 1, 1],
    [4, 2, 16_384],
    [3, 3, 16_385],
    [8, 3, 50_001],
    [22, 22, 1000],
  ])('rebuilds what was lost of %i + %i shards of %i bytes', (k, m, size) => {
    const shards = shardsOf(k, m, size);
    const present = shards.map((bytes, index) => ({ index, bytes })).slice(m);
    const wanted = Array.from({ length: m }, (_, index) => index);
    const rebuilt = reconstruct({ k, m, present, wanted, combine });
    for (const [i, shard] of rebuilt.entries()) expectSame(shard, shards[i] as Uint8Array);
    const plain = reconstruct({ k, m, present, wanted, combine: plainCombine });
    for (const [i, shard] of plain.entries()) expectSame(shard, shards[i] as Uint8Array);
  });
});

describe('codingMatrix', () => {
  test('has ones in its first row and column, so that k = 1 gives copies', () => {
    for (const [k, m] of [
      [1, 8],
      [4, 2],
      [8, 24],
      [200, 55],
    ] as const) {
      const rows = codingMatrix(k, m);
      expect(rows[0]).toEqual(new Uint8Array(k).fill(1));
      expect(rows.map((row) => row[0])).toEqual(Array.from({ length: m }, () => 1));
    }
  });

  test('refuses codes that the field cannot hold', () => {
    expect(() => codingMatrix(0, 1)).toThrow('a data shard');
    expect(() => codingMatrix(200, 56)).toThrow('at most 255 shards');
    expect(() => codingMatrix(1.5, 1)).toThrow('a data shard');
  });
});

describe('reconstruct', () => {
  test.each([
    [1, 2],
    [2, 2],
    [4, 2],
    [3, 4],
    [5, 3],
  ])('rebuilds every shard of a %i + %i code from every k of them', (k, m) => {
    const shards = shardsOf(k, m);
    const wanted = shards.map((_, index) => index);
    for (const chosen of subsets(k + m, k)) {
      const present = chosen.map((index) => ({ index, bytes: shards[index] as Uint8Array }));
      expect(reconstruct({ k, m, present, wanted })).toEqual(shards);
    }
  });

  test('rebuilds from any k shards of wide codes, in any order', () => {
    const code = fc
      .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 24 }))
      .chain(([k, m]) =>
        fc.record({
          k: fc.constant(k),
          m: fc.constant(m),
          order: fc.shuffledSubarray([...Array(k + m).keys()], { minLength: k, maxLength: k + m }),
        }),
      );
    fc.assert(
      fc.property(code, ({ k, m, order }) => {
        const shards = shardsOf(k, m, 7);
        const present = order.map((index) => ({ index, bytes: shards[index] as Uint8Array }));
        const wanted = shards.map((_, index) => index).reverse();
        expect(reconstruct({ k, m, present, wanted })).toEqual(shards.toReversed());
      }),
      { numRuns: 40 },
    );
  });

  test('gives the same from views at odd places of larger arrays', () => {
    const shards = shardsOf(3, 2, 45);
    const present = [4, 1, 2].map((index) => {
      const holder = new Uint8Array(100);
      holder.set(shards[index] as Uint8Array, index);
      return { index, bytes: holder.subarray(index, index + 45) };
    });
    expect(reconstruct({ k: 3, m: 2, present, wanted: [0] })).toEqual([shards[0]]);
  });

  test('gives fresh arrays even for a shard that is there', () => {
    const shards = shardsOf(2, 1);
    const present = [0, 1].map((index) => ({ index, bytes: shards[index] as Uint8Array }));
    const [rebuilt] = reconstruct({ k: 2, m: 1, present, wanted: [1] });
    expect(rebuilt).toEqual(shards[1]);
    expect(rebuilt?.buffer).not.toBe(shards[1]?.buffer);
  });

  test('is a bug with too few, doubled, unequal or unknown shards', () => {
    const bytes = new Uint8Array(8);
    const attempt = (present: { index: number; bytes: Uint8Array }[], wanted = [0]) =>
      reconstruct({ k: 2, m: 1, present, wanted });
    const two = [
      { index: 1, bytes },
      { index: 2, bytes },
    ];
    expect(() => attempt([{ index: 1, bytes }])).toThrow('k shards are needed');
    expect(() =>
      attempt([
        { index: 1, bytes },
        { index: 1, bytes },
      ]),
    ).toThrow('present shards are different');
    expect(() =>
      attempt([
        { index: 1, bytes },
        { index: 2, bytes: new Uint8Array(9) },
      ]),
    ).toThrow('equal lengths');
    expect(() =>
      attempt([
        { index: 1, bytes },
        { index: 3, bytes },
      ]),
    ).toThrow('belongs to the code');
    expect(() => attempt(two, [3])).toThrow('belongs to the code');
  });
});
