import { expect, it } from 'vitest';
import { kitProcesses } from '../../../../src/agent/compose/kit-process.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

it('says what the command says when it cannot open the kit', async () => {
  await using scratch = scratchDirectory();
  const kit = kitProcesses(scratch.path);
  const missing = { kit: `${scratch.path}/none`, snapshot: 'latest', path: '/' };
  const refusal = { code: 'io-error', next: expect.stringContaining('--kit FILE') };
  await expect(kit.list(missing)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal);
  await expect(kit.dump({ ...missing, path: '/etc/x' })).rejects.toMatchObject(refusal);
});
