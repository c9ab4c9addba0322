import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  decreeDocument,
  decreeEnvelope,
  readDecree,
  signDecree,
} from '../../../../src/agent/compose/decree-document.ts';
import { toHex } from '../../../../src/base/bytes.ts';
import { publicKeyOf } from '../../../../src/core/crypto/signature.ts';
import { encodeCommand } from '../../../../src/core/format/control-command.ts';
import { openCommand } from '../../../../src/core/format/control-envelope.ts';
import type { CommandId } from '../../../../src/core/format/control-records.ts';
import type { AgentKey, ClusterId } from '../../../../src/core/ids.ts';
import { secretOf } from '../../../support/sample-cluster.ts';

const directory = mkdtempSync(join(tmpdir(), 'hf-decree-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const cluster = 'fe'.repeat(32) as ClusterId;
const voter = toHex(publicKeyOf(secretOf('voter'))) as AgentKey;
const lost = toHex(publicKeyOf(secretOf('lost'))) as AgentKey;
const decree = {
  ...{ generation: 2, voters: [voter], abandoned: [lost], logSize: 80 },
  ...{ rootHash: new Uint8Array(32), reason: 'burnt', noticeMs: 1000, announcedMs: 5 },
};
const payload = encodeCommand({
  id: '0a'.repeat(16) as CommandId,
  timeMs: 5,
  body: { kind: 'decree', ...decree },
});
const draft = { clusterId: cluster, payload: Buffer.from(payload).toString('base64') };

function keyFile(name: string, text = false): string {
  const file = join(directory, name);
  const secret = secretOf(name);
  writeFileSync(file, text ? `${toHex(secret)}\n` : secret, { mode: 0o600 });
  return file;
}

function sign(text: string, ...operatorKeyFiles: string[]): Promise<string> {
  return signDecree({ text, operatorKeyFiles, stateDir: join(directory, 'none') });
}

describe('the document of a decree', () => {
  it('gathers signatures one after the other, on machines without a state directory', async () => {
    const first = await sign(decreeDocument(draft), keyFile('anna'));
    const both = await sign(first, keyFile('berta', true));
    const keys = ['anna', 'berta'].map((name) => toHex(publicKeyOf(secretOf(name))));
    expect(readDecree(both).signers).toEqual(keys);
    const opened = openCommand(Buffer.from(decreeEnvelope(both), 'base64'), cluster);
    expect(opened.generation).toBe(2);
    expect([...opened.signers]).toEqual(keys);
    const { rootHash, ...rest } = decree;
    expect(opened.command.body).toMatchObject({ kind: 'decree', ...rest });
    const { body } = opened.command;
    expect(body.kind === 'decree' && toHex(body.rootHash)).toBe(toHex(rootHash));
  });

  it('keeps one signature of each key', async () => {
    const once = await sign(decreeDocument(draft), keyFile('anna'));
    expect(await sign(once, keyFile('anna'))).toBe(once);
  });

  it('says what is signed, and nothing that stands beside it', () => {
    expect(readDecree(decreeDocument(draft))).toEqual({
      ...decree,
      rootHash: '00'.repeat(32),
      clusterId: cluster,
      signers: [],
    });
  });

  it('is refused when it was changed after somebody had signed it', async () => {
    const signed = JSON.parse(await sign(decreeDocument(draft), keyFile('anna')));
    const other = { ...signed, cluster: '00'.repeat(32) };
    expect(() => readDecree(JSON.stringify(other))).toThrow('is wrong');
  });

  it('is no use without a signature, and other files are no decrees', () => {
    expect(() => decreeEnvelope(decreeDocument(draft))).toThrow('nobody has signed');
    expect(() => readDecree('{}')).toThrow('the file holds no decree');
    expect(() => readDecree('not JSON')).toThrow('the file holds no decree');
  });
});
