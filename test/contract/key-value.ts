import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import type { KeyValue, KeyValueOperation } from '../../src/ports/key-value.ts';

/** What every KeyValue promises. `open` gives an empty one. */
export function keyValueContract(
  name: string,
  open: () => Promise<AsyncDisposable & { readonly index: KeyValue }>,
): void {
  describe(`${name} as a KeyValue`, () => {
    test('a value is found under its key, and nothing under others', async () => {
      await using opened = await open();
      await opened.index.batch([put('a', '1')]);
      expect(opened.index.get(utf8('a'))).toEqual(utf8('1'));
      expect(opened.index.get(utf8('b'))).toBeUndefined();
    });

    test('values are plain arrays that the caller owns', async () => {
      await using opened = await open();
      await opened.index.batch([put('a', '1')]);
      const value = opened.index.get(utf8('a')) as Uint8Array;
      expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype);
      value.fill(0);
      expect(opened.index.get(utf8('a'))).toEqual(utf8('1'));
      for await (const entry of opened.index.range(utf8('a'), utf8('b'))) {
        expect(Object.getPrototypeOf(entry.key)).toBe(Uint8Array.prototype);
        entry.value.fill(0);
      }
      expect(opened.index.get(utf8('a'))).toEqual(utf8('1'));
    });

    test('an empty value is there', async () => {
      await using opened = await open();
      await opened.index.batch([put('a', '')]);
      expect(opened.index.get(utf8('a'))).toEqual(new Uint8Array());
    });

    test('keys and values given to a batch may be reused afterwards', async () => {
      await using opened = await open();
      const key = utf8('a');
      const value = utf8('1');
      await opened.index.batch([{ type: 'put', key, value }]);
      key[0] = 0;
      value[0] = 0;
      expect(opened.index.get(utf8('a'))).toEqual(utf8('1'));
    });

    test('a batch puts, replaces and deletes, later operations last', async () => {
      await using opened = await open();
      await opened.index.batch([put('a', '1'), put('b', '1')], { durable: true });
      await opened.index.batch([remove('a'), put('b', '2'), put('c', '1'), remove('c')]);
      expect(await keys(opened.index, '', 'z')).toEqual(['b=2']);
    });

    test('an empty batch and the deletion of what is not there do nothing', async () => {
      await using opened = await open();
      await opened.index.batch([]);
      await opened.index.batch([remove('a')], { durable: true });
      expect(await keys(opened.index, '', 'z')).toEqual([]);
    });

    test('a range has its first key and not its last', async () => {
      await using opened = await open();
      await opened.index.batch(['a', 'b', 'ba', 'c', 'd'].map((key) => put(key, '1')));
      expect(await keys(opened.index, 'b', 'd')).toEqual(['b=1', 'ba=1', 'c=1']);
      expect(await keys(opened.index, 'd', 'b')).toEqual([]);
    });

    test('keys order by unsigned byte, shorter first', async () => {
      await using opened = await open();
      const order = [[0], [0, 0], [1], [0x7f], [0x80], [0x80, 0], [0xff]];
      await opened.index.batch(
        [...order]
          .reverse()
          .map((key) => ({ type: 'put', key: Uint8Array.from(key), value: utf8('1') })),
      );
      const found: number[][] = [];
      for await (const { key } of opened.index.range(Uint8Array.of(0), Uint8Array.of(0xff, 0))) {
        found.push([...key]);
      }
      expect(found).toEqual(order);
    });

    test('a range over more entries than one step delivers each once', async () => {
      await using opened = await open();
      const count = 2500;
      const name = (i: number): string => `k${i.toString().padStart(5, '0')}`;
      await opened.index.batch(Array.from({ length: count }, (_, i) => put(name(i), String(i))));
      const found = await keys(opened.index, 'k', 'l');
      expect(found).toEqual(Array.from({ length: count }, (_, i) => `${name(i)}=${i}`));
    });

    test('a range shows what was there when it began', async () => {
      await using opened = await open();
      await opened.index.batch(['a', 'b', 'c'].map((key) => put(key, '1')));
      const found: string[] = [];
      for await (const { key } of opened.index.range(utf8('a'), utf8('z'))) {
        found.push(new TextDecoder().decode(key));
        await opened.index.batch([remove('c'), put('d', '1')]);
      }
      expect(found).toEqual(['a', 'b', 'c']);
    });

    test('a range may be left before its end', async () => {
      await using opened = await open();
      await opened.index.batch(['a', 'b'].map((key) => put(key, '1')));
      for await (const { key } of opened.index.range(utf8('a'), utf8('z'))) {
        expect(key).toEqual(utf8('a'));
        break;
      }
      await opened.index.batch([put('c', '1')]);
      expect(await keys(opened.index, 'a', 'z')).toEqual(['a=1', 'b=1', 'c=1']);
    });
  });
}

function put(key: string, value: string): KeyValueOperation {
  return { type: 'put', key: utf8(key), value: utf8(value) };
}

function remove(key: string): KeyValueOperation {
  return { type: 'delete', key: utf8(key) };
}

async function keys(index: KeyValue, from: string, to: string): Promise<string[]> {
  const found: string[] = [];
  const text = new TextDecoder();
  for await (const { key, value } of index.range(utf8(from), utf8(to))) {
    found.push(`${text.decode(key)}=${text.decode(value)}`);
  }
  return found;
}
