import { assert } from '../../src/base/assert.ts';

/**
 * The share of time that an irreducible Markov chain spends in each of its `size` states.
 * `rates`: from row to column, row by row; the diagonal is not read. Overwritten.
 *
 * Elimination of Grassmann, Taksar and Heyman (1985): it adds, multiplies and divides numbers that are not
 * negative, and never subtracts, so that shares of 1e-30 are as exact as shares near one (O'Cinneide, 1993).
 */
export function stationary(rates: Float64Array, size: number): Float64Array {
  assert(rates.length === size * size, 'the rates are a square');
  for (let last = size - 1; last > 0; last--) eliminate(rates, size, last);
  const shares = new Float64Array(size);
  shares[0] = 1;
  let sum = 1;
  for (let state = 1; state < size; state++) {
    let share = 0;
    for (let from = 0; from < state; from++) {
      share += (shares[from] as number) * (rates[from * size + state] as number);
    }
    shares[state] = share;
    sum += share;
  }
  return shares.map((share) => share / sum);
}

/** Paths through the state `last` become direct ones between the states before it. */
function eliminate(rates: Float64Array, size: number, last: number): void {
  let out = 0;
  for (let to = 0; to < last; to++) out += rates[last * size + to] as number;
  assert(out > 0, 'every state leads back');
  for (let from = 0; from < last; from++) {
    const into = (rates[from * size + last] as number) / out;
    rates[from * size + last] = into;
    if (into === 0) continue;
    for (let to = 0; to < last; to++) {
      if (to === from) continue;
      const at = from * size + to;
      rates[at] = (rates[at] as number) + into * (rates[last * size + to] as number);
    }
  }
}
