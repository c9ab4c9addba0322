import { beforeEach, describe, expect, test } from 'vitest';
import type { PackId } from '../../../src/core/ids.ts';
import { dbId, KeepingSample, packOf } from '../../support/keeping-sample.ts';

let host: KeepingSample;
const any = (): boolean => true;

beforeEach(() => {
  host = new KeepingSample();
});

/** Names of the packs that nothing needs, with the snapshots that name each; or why that cannot be told. */
async function unneeded(isWanted: (pack: PackId) => boolean = any): Promise<unknown> {
  const found = await host.packUse.unneeded(dbId, isWanted);
  if ('unknown' in found) return found.unknown;
  const names = ['a', 'b', 'c', 'd'].filter((name) => found.packs.has(packOf(name)));
  return names.map((name) => {
    const users = found.packs.get(packOf(name))?.users ?? [];
    return `${name}: ${users.map(({ manifest }) => manifest.sequence).join(' ')}`;
  });
}

describe('which packs are needed', () => {
  test('goes by every snapshot that is not discarded, list by list', async () => {
    await host.snapshot([['a', 'b'], ['c']]);
    await host.snapshot([['b'], ['c']]);
    await host.snapshot([['d']]);
    await host.snapshot([['d']]);
    host.trash(1);
    expect(await unneeded()).toEqual(['a: 1']);
    host.trash(2);
    expect(await unneeded()).toEqual(['a: 1', 'b: 1 2', 'c: 1 2']);
    expect(await unneeded((pack) => pack === packOf('b'))).toEqual(['b: 1 2']);
    expect(host.packUse.datasets()).toEqual([dbId]);
  });

  test('counts as needed what is on its way out and not in the trash yet', async () => {
    await host.snapshot([['a']]);
    await host.snapshot([[]]);
    host.expire(1);
    host.pass(1);
    host.pass(167);
    expect(await unneeded()).toEqual([]);
    host.pass(1);
    expect(await unneeded()).toEqual(['a: 1']);
    host.say('undelete', 1);
    expect(await unneeded()).toEqual([]);
  });

  test('cannot be told where history is another one than the anchored', async () => {
    await host.snapshot([['a']]);
    await host.snapshot([[]]);
    host.trash(1);
    host.records[1] = { ...host.records[1], hash: host.hashOf(77) } as (typeof host.records)[0];
    expect(await unneeded()).toBe('its history here is not the anchored one');
    host.records.pop();
    expect(await unneeded()).toBe('newer snapshots have not arrived here');
  });

  test('cannot be told after an equivocation, whoever has found it', async () => {
    await host.snapshot([['a']]);
    await host.snapshot([[]]);
    host.trash(1);
    expect(host.packUse.isFrozen(host.writer)).toBe(false);
    host.forks.push({ writer: host.writer });
    expect(host.packUse.isFrozen(host.writer)).toBe(true);
    expect(await unneeded()).toBe('its writer has signed two histories');
    expect(host.packUse.objection(dbId)).toContain('two histories');
  });

  test('is known for sure of what live snapshots name, even then', async () => {
    await host.snapshot([['a']]);
    await host.snapshot([['b']]);
    host.trash(1);
    host.forks.push({ writer: host.writer });
    const packs = new Set(['a', 'b', 'c'].map(packOf));
    expect([...(await host.packUse.needed(packs))]).toEqual([packOf('b')]);
  });

  test('tells which packs a snapshot before a given one still names, of those that are kept', async () => {
    await host.snapshot([['a', 'b']]);
    await host.snapshot([['b', 'c']]);
    await host.snapshot([['b', 'c']]);
    const asked = new Map([
      [packOf('a'), 2],
      [packOf('b'), 2],
      [packOf('c'), 2],
      [packOf('d'), 2],
    ]);
    const line = { writer: host.writer, dataset: dbId };
    const named = async () => host.packUse.namedBefore(line, asked);
    expect(await named()).toEqual({ packs: new Set([packOf('a'), packOf('b')]) });
    host.trash(1);
    expect(await named()).toEqual({ packs: new Set() });
    host.forks.push({ writer: host.writer });
    expect(await named()).toHaveProperty('unknown');
  });

  test('names also what discarded snapshots have named', async () => {
    await host.snapshot([['a']]);
    await host.snapshot([['b']]);
    host.trash(1);
    const packs = new Set(['a', 'b', 'c'].map(packOf));
    expect(await host.packUse.named(packs)).toEqual({
      packs: new Set([packOf('a'), packOf('b')]),
    });
    await host.snapshot([['c']], { isListKnown: false });
    expect(await host.packUse.named(packs)).toHaveProperty('unknown');
  });
});
