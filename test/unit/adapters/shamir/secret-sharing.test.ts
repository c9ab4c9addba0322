import { expect, test } from 'vitest';
import { combineShares, splitSecret } from '../../../../src/adapters/shamir/secret-sharing.ts';
import { toHex, utf8 } from '../../../../src/base/bytes.ts';

const secret = utf8('AGE-SECRET-KEY-PQ-1QQPQYQ');

function subsets<Item>(items: readonly Item[], size: number): Item[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, i) =>
    subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]),
  );
}

test('any threshold of the shares makes the secret, in any order', async () => {
  const shares = await splitSecret(secret, { threshold: 3, count: 5 });
  for (const some of subsets(shares, 3)) {
    expect(await combineShares(some.reverse())).toEqual(secret);
  }
  expect(await combineShares(shares)).toEqual(secret);
});

test('one share fewer makes something else, whichever is missing', async () => {
  const shares = await splitSecret(secret, { threshold: 3, count: 5 });
  for (const some of subsets(shares, 2)) {
    expect(toHex(await combineShares(some))).not.toBe(toHex(secret));
  }
});

// Shamir, "How to share a secret", 1979: knowledge of k - 1 pieces leaves the secret completely undetermined.
test('a share short of the threshold fits every secret: it says nothing', async () => {
  const [held] = (await splitSecret(Uint8Array.of(42), { threshold: 2, count: 2 })) as [Uint8Array];
  const x = (held[1] as number) === 255 ? 1 : (held[1] as number) + 1;
  const secrets = new Set<number>();
  for (let y = 0; y < 256; y++) {
    const other = Uint8Array.of(y, x);
    secrets.add((await combineShares([held, other]))[0] as number);
  }
  expect(secrets.size).toBe(256);
});

test('shares are as proto/README.md says: GF(2^8) with 0x11b, x last', async () => {
  // f(x) = 0x53 + 0xca * x: f(1) = 0x99, f(2) = 0x53 xor 2 * 0xca = 0x53 xor 0x8f = 0xdc.
  const shares = [Uint8Array.of(0x99, 1), Uint8Array.of(0xdc, 2)];
  expect(await combineShares(shares)).toEqual(Uint8Array.of(0x53));
});
