import { describe, expect, test } from 'vitest';
import type { AgentKey } from '../../src/core/ids.ts';
import type { FenceStore, StepStore } from '../../src/ports/fence-store.ts';

export type OpenedFences = AsyncDisposable & {
  readonly fences: FenceStore;
  readonly steps: StepStore;
};

const anna = 'a'.repeat(64) as AgentKey;
const bert = 'b'.repeat(64) as AgentKey;

/** What every FenceStore and StepStore promises. `open` gives empty ones. */
export function fenceStoreContract(name: string, open: () => Promise<OpenedFences>): void {
  describe(`${name} as a FenceStore`, () => {
    test('no fence stands under a name that was never raised', async () => {
      await using opened = await open();
      expect(await opened.fences.fence('run-1')).toBeUndefined();
    });

    test('a fence rises by index and by generation, and is taken again', async () => {
      await using opened = await open();
      const rising = [
        { generation: 1, index: 7 },
        { generation: 1, index: 7 },
        { generation: 1, index: 2 ** 40 },
        { generation: 2, index: 1 },
      ];
      for (const fence of rising) {
        await opened.fences.raise('run-1', fence);
        expect(await opened.fences.fence('run-1')).toEqual(fence);
      }
    });

    test('a lower fence is refused, and the one that stands is named', async () => {
      await using opened = await open();
      await opened.fences.raise('run-1', { generation: 2, index: 5 });
      const lower = [
        { generation: 2, index: 4 },
        { generation: 1, index: 900 },
      ];
      for (const fence of lower) {
        await expect(opened.fences.raise('run-1', fence)).rejects.toMatchObject({
          code: 'not-permitted',
          details: { generation: 2, index: 5 },
        });
      }
      expect(await opened.fences.fence('run-1')).toEqual({ generation: 2, index: 5 });
    });

    test('names are apart', async () => {
      await using opened = await open();
      await opened.fences.raise('run-1', { generation: 1, index: 9 });
      await opened.fences.raise('run-11', { generation: 1, index: 1 });
      expect(await opened.fences.fence('run-11')).toEqual({ generation: 1, index: 1 });
    });

    test('of fences raised at once the highest stands', async () => {
      await using opened = await open();
      const indexes = [3, 9, 1, 7, 5];
      await Promise.allSettled(
        indexes.map((index) => opened.fences.raise('run-1', { generation: 1, index })),
      );
      expect(await opened.fences.fence('run-1')).toEqual({ generation: 1, index: 9 });
    });

    test('a vote is given once for each slot, and again only as it was', async () => {
      await using opened = await open();
      const { fences } = opened;
      const vote = { target: anna, fence: { generation: 1, index: 4 } };
      expect(await fences.vote('slot')).toBeUndefined();
      await fences.castVote('slot', vote);
      await fences.castVote('slot', vote);
      const others = [
        { ...vote, target: bert },
        { ...vote, target: undefined },
        { ...vote, fence: { generation: 1, index: 5 } },
      ];
      for (const other of others) {
        await expect(fences.castVote('slot', other)).rejects.toMatchObject({
          code: 'equivocation',
        });
      }
      expect(await fences.vote('slot')).toEqual(vote);
      await fences.castVote('other', { ...vote, target: undefined });
      expect(await fences.vote('other')).toEqual({ ...vote, target: undefined });
    });

    test('of two votes cast at once one counts', async () => {
      await using opened = await open();
      const fence = { generation: 1, index: 4 };
      const cast = await Promise.allSettled([
        opened.fences.castVote('slot', { target: anna, fence }),
        opened.fences.castVote('slot', { target: bert, fence }),
      ]);
      expect(cast.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    test('records of steps are replaced, listed and removed', async () => {
      await using opened = await open();
      const { steps } = opened;
      expect(await steps.read('b')).toBeUndefined();
      await steps.write('b', Uint8Array.of(1));
      await steps.write('b', Uint8Array.of(2, 3));
      await steps.write('a.1_x-y', new Uint8Array(0));
      expect(await steps.read('b')).toEqual(Uint8Array.of(2, 3));
      expect(await steps.read('a.1_x-y')).toEqual(new Uint8Array(0));
      expect(await steps.names()).toEqual(['a.1_x-y', 'b']);
      await steps.remove('b');
      await steps.remove('b');
      expect(await steps.names()).toEqual(['a.1_x-y']);
    });
  });
}
