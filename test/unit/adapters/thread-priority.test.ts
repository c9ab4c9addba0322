import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openComputePool } from '../../../src/adapters/compute/pool.ts';
import { byteStream } from '../../support/byte-stream.ts';

/** Of each thread of this process, by its id: the 19th field of stat(5), as there may be spaces in the 2nd. */
function niceness(): Map<string, number> {
  const threads = readdirSync('/proc/self/task').map((id): [string, number] => {
    const fields = readFileSync(`/proc/self/task/${id}/stat`, 'latin1').split(') ')[1]?.split(' ');
    return [id, Number(fields?.[16])];
  });
  return new Map(threads);
}

test.skipIf(process.platform !== 'linux')('threads that compute stand back', async () => {
  const before = niceness();
  await using pool = openComputePool({ threads: 1 });
  await pool.encode({ parts: [byteStream('pack', 1000)], k: 2, m: 1 });
  const after = niceness();
  const own = before.get(String(process.pid)) ?? 0;
  const added = [...after].filter(([id]) => !before.has(id)).map(([, nice]) => nice);
  expect(added).toContain(Math.min(19, own + 5));
  expect(after.get(String(process.pid))).toBe(own);
});
