import { assert } from '../../../src/base/assert.ts';
import { concat, fromUtf8 } from '../../../src/base/bytes.ts';
import { keyParts, listParts } from '../../../src/core/format/grant.ts';
import { idOf } from '../../../src/core/ids.ts';
import { planHash } from '../../../src/core/policy/plan-text.ts';
import { filled, packIdAt } from '../../unit/core/format/samples.ts';
import { plan, planBytes } from './samples.ts';
import { badEncoding, type VectorList } from './vector-list.ts';

const text = fromUtf8(planBytes) ?? '';
const created = '"created":"2026-01-01 by ada",';

/** The text of the plan with one part replaced. */
function changed(from: string, to: string): string {
  assert(text.includes(from), 'the plan has this part');
  return text.replace(from, to);
}

export function addPlans(list: VectorList): void {
  const add = (what: string, some: string | Uint8Array): void =>
    list.add('plan', what, some, badEncoding);
  list.add('plan', 'four steps', text, { id: planHash(planBytes), value: plan });
  add('white space', changed(':', ': '));
  add('a newline at the end', `${text}\n`);
  add('a key out of order', `${changed(created, '').slice(0, -1)},${created.slice(0, -1)}}`);
  add('a key twice', changed(created, `"created":"x",${created}`));
  add('a letter escaped', changed('ü', '\\u00fc'));
  add('a number written otherwise', changed('3600000', '3.6e6'));
  add('a number with a fraction', changed('3600000', '3600000.5'));
  add('bytes that are no UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d));
  add('a field that is not known', changed(created, `${created}"creator":"ada",`));
  add('of version 2', changed('"version":1', '"version":2'));
  add('eleven attempts', changed('"attempts":10', '"attempts":11'));
  add('a path that leaves', changed('/srv/db', '/srv/../db'));
  add('steps that wait for each other', changed('"after":[]', '"after":["promote"]'));
  add('promoted without a restore before', changed('["restore"]', '[]'));
  addGrants(list);
}

function addGrants(list: VectorList): void {
  const keys = new Map([
    [packIdAt(0), filled(50)],
    [packIdAt(1), filled(51)],
  ]);
  const snapshot = { dataset: idOf<never>(filled(7, 16)), snapshot: idOf<never>(filled(14)) };
  const [keyPart = new Uint8Array()] = keyParts([{ ...snapshot, keys }], 1024);
  const pairs = [...keys].map(([pack, key]) => ({ pack, key }));
  const facts = [idOf<never>(filled(15)), idOf<never>(filled(16))];
  const [listPart = new Uint8Array()] = listParts(facts, 1024);
  const add = (what: string, bytes: Uint8Array): void =>
    list.add('grant part', what, bytes, badEncoding);
  list.add('grant part', 'two keys of one snapshot', keyPart, {
    value: { kind: 'keys', snapshots: [{ ...snapshot, keys: pairs }] },
  });
  list.add('grant part', 'a list of two facts', listPart, { value: { kind: 'list', facts } });
  add('of an unknown kind', listPart.with(5, 3));
  add('a spare byte set', listPart.with(6, 1));
  add('more facts than there are', listPart.with(11, 3));
  add('a byte too many', concat([keyPart, Uint8Array.of(0)]));
}
