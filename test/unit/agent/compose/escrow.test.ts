import { beforeAll, describe, expect, test } from 'vitest';
import { ageSealer } from '../../../../src/adapters/age/sealer.ts';
import type { AgentApi } from '../../../../src/agent/api.ts';
import { combineKit, splitKit } from '../../../../src/agent/compose/escrow.ts';
import { fromUtf8 } from '../../../../src/base/bytes.ts';
import type { ShareText } from '../../../../src/cli/backend.ts';
import { codeOf, HoldfastError } from '../../../../src/core/errors.ts';
import { recipientId } from '../../../../src/core/format/key-record.ts';
import { formatKit, parseKit } from '../../../../src/core/format/recovery-kit.ts';
import { formatShare, parseShare } from '../../../../src/core/format/recovery-share.ts';
import { idOf } from '../../../../src/core/ids.ts';
import { filled } from '../../core/format/samples.ts';

const sealer = ageSealer();
let identity: string;
let shares: ShareText[];

async function splitOf(text: string): Promise<ShareText[]> {
  const { identity: secret } = parseKit(text);
  const id = recipientId(await sealer.recipientOf(secret)).slice(0, 12);
  const found: ShareText[] = [];
  const api = { keys: async () => ({ kit: { version: 1, id, timeMs: 0 } }) };
  const options = {
    ...{ stateDir: '/nowhere', operatorKeyFiles: [], kitText: text, threshold: 3 },
    custodians: ['ada', 'ben', 'cleo', 'dan', 'eva'].map((name) => ({ name })),
    keep: async (files: readonly { name: string; bytes: Uint8Array }[]) => {
      for (const { name, bytes } of files) found.push({ file: name, text: fromUtf8(bytes) ?? '' });
      // What operators sign is for the control log's tests.
      throw new HoldfastError('interrupted', 'far enough');
    },
  };
  await splitKit(options, api as unknown as AgentApi).catch((error: unknown) => {
    if (codeOf(error) !== 'interrupted') throw error;
  });
  return found;
}

function kitOf(secret: string): string {
  const facts = { clusterName: 'sample', clusterId: idOf<never>(filled(1)), addresses: [] };
  return formatKit({ ...facts, identity: secret, createdMs: 0 });
}

beforeAll(async () => {
  identity = (await sealer.generate()).identity;
  shares = await splitOf(kitOf(identity));
});

function changed(one: ShareText): ShareText {
  const share = parseShare(one.text);
  const value = share.value.slice();
  value[5] = (value[5] as number) ^ 1;
  return { file: one.file, text: formatShare({ ...share, value }) };
}

const at = (i: number): ShareText => shares[i] as ShareText;

describe('shares of a kit', () => {
  test('three of five make it', async () => {
    const { kitText, used, problems } = await combineKit([at(4), at(0), at(2)]);
    expect(parseKit(kitText)).toMatchObject({ identity, clusterName: 'sample' });
    expect(used.map(({ holder }) => holder)).toEqual(['eva', 'ada', 'cleo']);
    expect(problems).toEqual([]);
  });

  test('two of five open nothing, also when one of them is given twice', async () => {
    for (const some of [[at(0), at(1)], [at(0), at(1), at(1)], [at(3)]]) {
      await expect(combineKit(some)).rejects.toMatchObject({ code: 'key-needed' });
    }
  });

  test('a bad one among three is named, and another one in its place makes the kit', async () => {
    const bad = changed(at(1));
    await expect(combineKit([at(0), bad, at(2)])).rejects.toMatchObject({
      code: 'key-needed',
      message: expect.stringMatching(/share 2 of ben is not the one that was committed to/),
    });
    const { kitText, problems } = await combineKit([at(0), bad, at(2), at(3)]);
    expect(parseKit(kitText).identity).toBe(identity);
    expect(problems.join()).toContain('share 2 of ben');
  });

  test('one that brings commitments of its own does not pass for one of the split', async () => {
    const share = parseShare(at(1).text);
    const forged = parseShare(
      (await splitOf(kitOf((await sealer.generate()).identity)))[1]?.text ?? '',
    );
    const { commitments, value } = forged;
    const text = formatShare({ ...share, commitments, value });
    const { problems } = await combineKit([at(0), { file: 'forged', text }, at(2), at(3)]);
    expect(problems).toEqual([expect.stringContaining('forged: a share of another split')]);
  });

  test('one that was mistyped is named by its file', async () => {
    const typed = { file: 'typed', text: at(1).text.replace(/Value: +./, 'Value:        g') };
    const { problems } = await combineKit([at(0), typed, at(2), at(3)]);
    expect(problems).toEqual([expect.stringMatching(/^typed: .*"Value" is not right/)]);
  });

  test('as many of one split as of another are put together by nobody', async () => {
    const others = await splitOf(kitOf(identity));
    await expect(combineKit([at(0), others[1] as ShareText])).rejects.toMatchObject({
      code: 'wrong-key',
      message: expect.stringContaining('different splits'),
    });
  });

  test('give back what was put into them', () => {
    const share = parseShare(at(0).text);
    expect(share).toMatchObject({ share: 1, threshold: 3, kitVersion: 1, holder: 'ada' });
    expect(formatShare(share)).toBe(at(0).text);
    for (const line of at(0).text.split('\n')) expect(line.length).toBeLessThanOrEqual(72);
  });

  test('of a kit that is not in force are not made', async () => {
    const api = { keys: async () => ({ kit: { version: 2, id: 'ffffffffffff', timeMs: 0 } }) };
    const options = {
      ...{ stateDir: '/nowhere', operatorKeyFiles: [], kitText: kitOf(identity), threshold: 2 },
      custodians: [{ name: 'ada' }, { name: 'ben' }],
      keep: async () => {},
    };
    await expect(splitKit(options, api as unknown as AgentApi)).rejects.toMatchObject({
      code: 'wrong-key',
    });
  });
});
