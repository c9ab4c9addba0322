import { describe, expect, test } from 'vitest';
import { ageSealer } from '../../../../src/adapters/age/sealer.ts';
import { openSealingProcess } from '../../../../src/adapters/age/sealing-process.ts';

const sealer = ageSealer();
const secret = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

describe('a process that seals the keys of one backup', () => {
  test('seals to whom it was begun for, in the order that it is asked', async () => {
    const { identity, recipient } = await sealer.generate();
    await using sealing = openSealingProcess();
    sealing.begin([recipient]);
    sealing.begin([recipient]);
    const sealed = await Promise.all([1, 2, 3].map((i) => sealing.seal([recipient], secret(i))));
    const opened = await Promise.all(sealed.map((one) => sealer.open(identity, one)));
    expect(opened).toEqual([secret(1), secret(2), secret(3)]);
  });

  test('ends when nothing was sealed, and seals nothing more', async () => {
    const { recipient } = await sealer.generate();
    const sealing = openSealingProcess();
    sealing.begin([recipient]);
    await sealing[Symbol.asyncDispose]();
    sealing.begin([recipient]);
    await expect(sealing.seal([recipient], secret(1))).rejects.toMatchObject({ code: 'failed' });
  });
});
