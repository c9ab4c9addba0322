import { utf8 } from '../../src/base/bytes.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { type DatasetId, idOf } from '../../src/core/ids.ts';

/** What the hosts back up. */
export const datasets = ['db', 'www'].map((name) => ({
  name,
  id: idOf<DatasetId>(hash('leaf', utf8(`dataset ${name}`)).subarray(0, 16)),
}));
