import { assert } from '../../../src/base/assert.ts';
import { fromUtf8 } from '../../../src/base/bytes.ts';
import { encodePolicy } from '../../../src/core/policy/policy-text.ts';
import { policy } from './samples.ts';
import { badEncoding, type VectorList } from './vector-list.ts';

const text = fromUtf8(encodePolicy(policy)) ?? '';

/** The text of the policy with one part replaced. */
function changed(from: string, to: string): string {
  assert(text.includes(from), 'the policy has this part');
  return text.replace(from, to);
}

export function addPolicies(list: VectorList): void {
  const add = (what: string, some: string | Uint8Array): void =>
    list.add('policy', what, some, badEncoding);
  list.add('policy', 'of every field', text, { value: policy });
  list.add('policy', 'that says nothing', '{}', { value: {} });
  add('white space', changed(':', ': '));
  add('a key out of order', changed('"trash":"1w","veto":"7d"', '"veto":"7d","trash":"1w"'));
  add('a key twice', changed('"decreeNotice"', '"decreeNotice":"1h","decreeNotice"'));
  add('a letter escaped', changed('ü', '\\u00fc'));
  add('a number written otherwise', changed('"sites":2', '"sites":2e0'));
  add('bytes that are no UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d));
  add('a field that is not known', changed('"survive"', '"surviv":{},"survive"'));
  add('a duration of two units', changed('"72h"', '"3d1h"'));
  add('a duration of another unit', changed('"72h"', '"72H"'));
  add('a size of another unit', changed('50GiB', '50GB'));
  add('a lock without its length', changed('"for":"30d",', ''));
  add('a lock of mode none with a length', changed('"mode":"none"', '"for":"1d","mode":"none"'));
  add('no regions', changed('["eu-*","north"]', '[]'));
}
