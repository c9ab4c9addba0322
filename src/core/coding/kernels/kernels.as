// AssemblyScript, compiled by `npm run kernels`. The plain TypeScript beside it says what this computes:
// ../chunk-scan.ts for findCut, ../gf256.ts for combine.

/** Exact for indexes below 16, which is all that is asked for: so both builds give the same bytes. */
@inline function pick(table: v128, indexes: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD
    ? i8x16.relaxed_swizzle(table, indexes)
    : i8x16.swizzle(table, indexes);
}

@inline function lowHalves(bytes: v128): v128 {
  return v128.and(bytes, i8x16.splat(15));
}

@inline function highHalves(bytes: v128): v128 {
  return v128.and(i16x8.shr_u(bytes, 4), i8x16.splat(15));
}

/**
 * The first position from `from` to `to` (addresses, both included) where a chunk may end, or 0. Reads 32 bytes before
 * `from` and up to 15 bytes after `to`. `tables`: 32 bytes.
 */
export function findCut(from: usize, to: usize, mask: u32, tables: usize, k0: u32, k1: u32): usize {
  const low = v128.load(tables);
  const high = v128.load(tables, 16);
  const wanted = i8x16.splat(0x5a);
  const earlier = i8x16.splat(3);
  let g = i8x16.splat(0);
  let h2 = g;
  let h4 = g;
  let h8 = g;
  // The first 16 bytes only warm up the window.
  for (let at = from - 17; at < to; at += 16) {
    const bytes = v128.load(at);
    const nextG = v128.xor(pick(low, lowHalves(bytes)), pick(high, highHalves(bytes)));
    const g1 = i8x16.shuffle(g, nextG, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    const next2 = i8x16.add(nextG, i8x16.add(g1, g1));
    const s2 = i8x16.shuffle(h2, next2, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
    const twice = i8x16.add(s2, s2);
    const next4 = i8x16.add(next2, i8x16.add(twice, twice));
    const s4 = i8x16.shuffle(h4, next4, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27);
    const next8 = i8x16.add(next4, v128.and(i16x8.shl(s4, 4), i8x16.splat(<i8>0xf0)));
    const s8 = i8x16.shuffle(h8, next8, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
    g = nextG;
    h2 = next2;
    h4 = next4;
    h8 = next8;
    const hits = v128.and(i8x16.eq(next8, wanted), i8x16.eq(lowHalves(s8), earlier));
    if (v128.any_true(hits)) {
      let bits: u32 = i8x16.bitmask(hits);
      while (bits != 0) {
        const cut = at + <usize>ctz(bits) + 1;
        bits &= bits - 1;
        if (cut < from) continue;
        if (cut > to) return 0;
        if ((halfSipHash(cut - 32, k0, k1) & mask) == 0) return cut;
      }
    }
  }
  return 0;
}

let v0: u32 = 0;
let v1: u32 = 0;
let v2: u32 = 0;
let v3: u32 = 0;

@inline function round(): void {
  v0 += v1;
  v1 = rotl(v1, 5) ^ v0;
  v0 = rotl(v0, 16);
  v2 += v3;
  v3 = rotl(v3, 8) ^ v2;
  v0 += v3;
  v3 = rotl(v3, 7) ^ v0;
  v2 += v1;
  v1 = rotl(v1, 13) ^ v2;
  v2 = rotl(v2, 16);
}

@inline function absorb(word: u32): void {
  v3 ^= word;
  round();
  round();
  v0 ^= word;
}

/** HalfSipHash-2-4 of the 32 bytes from `at` on. */
function halfSipHash(at: usize, k0: u32, k1: u32): u32 {
  v0 = k0;
  v1 = k1;
  v2 = k0 ^ 0x6c796765;
  v3 = k1 ^ 0x74656462;
  for (let i: usize = 0; i < 32; i += 4) absorb(load<u32>(at + i));
  absorb(32 << 24);
  v2 ^= 0xff;
  absorb(0);
  absorb(0);
  return v1 ^ v3;
}

/**
 * Linear combinations over GF(2^8): target j = sum of factor[j][i] times source i. `columns` and `rows` are even; sources,
 * and targets, lie `stride` bytes apart; `size` is a multiple of 16. `tables`: for each row, for each column, the
 * products of the factor with 0 to 15, then with 0, 16, .. 240.
 */
export function combine(
  tables: usize,
  sources: usize,
  targets: usize,
  columns: usize,
  rows: usize,
  size: usize,
  stride: usize,
): void {
  const rowSize = columns * 32;
  for (let row: usize = 0; row < rows; row += 2) {
    const first = targets + row * stride;
    const second = first + stride;
    for (let column: usize = 0; column < columns; column += 2) {
      const a = sources + column * stride;
      const b = a + stride;
      const t = tables + row * rowSize + column * 32;
      const u = t + rowSize;
      const a0 = v128.load(t);
      const a1 = v128.load(t, 16);
      const b0 = v128.load(t, 32);
      const b1 = v128.load(t, 48);
      const c0 = v128.load(u);
      const c1 = v128.load(u, 16);
      const d0 = v128.load(u, 32);
      const d1 = v128.load(u, 48);
      const isFirst = column == 0;
      for (let x: usize = 0; x < size; x += 16) {
        const left = v128.load(a + x);
        const right = v128.load(b + x);
        const ll = lowHalves(left);
        const lh = highHalves(left);
        const rl = lowHalves(right);
        const rh = highHalves(right);
        let p = v128.xor(v128.xor(pick(a0, ll), pick(a1, lh)), v128.xor(pick(b0, rl), pick(b1, rh)));
        let q = v128.xor(v128.xor(pick(c0, ll), pick(c1, lh)), v128.xor(pick(d0, rl), pick(d1, rh)));
        if (!isFirst) {
          p = v128.xor(p, v128.load(first + x));
          q = v128.xor(q, v128.load(second + x));
        }
        v128.store(first + x, p);
        v128.store(second + x, q);
      }
    }
  }
}
