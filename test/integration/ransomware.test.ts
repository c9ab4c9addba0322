import { createCipheriv, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SnapshotReport } from '../../src/agent/api.ts';
import { Cluster, messages, threeSites, until } from '../support/cluster.ts';

const cluster = new Cluster();
const [origin, witness] = ['ams1', 'nyc1'];
const source = join(cluster.root, 'source');
const alarms = join(cluster.root, 'alarms.txt');
const fileCount = 30;

function nameOf(i: number): string {
  return join(source, `report-${i}.txt`);
}

function textOf(i: number): string {
  return Array.from({ length: 1500 }, (_, line) => `report ${i}, line ${line}: all is well`).join(
    '\n',
  );
}

/** As ransomware does it: each file is encrypted, given another name, and a note is left. */
function encryptInPlace(): void {
  const key = randomBytes(32);
  for (let i = 0; i < fileCount; i++) {
    const cipher = createCipheriv('aes-256-ctr', key, randomBytes(16));
    const sealed = Buffer.concat([cipher.update(readFileSync(nameOf(i))), cipher.final()]);
    writeFileSync(`${nameOf(i)}.lockbit`, sealed);
    rmSync(nameOf(i));
  }
  writeFileSync(join(source, 'HOW_TO_DECRYPT.txt'), 'pay');
}

beforeAll(async () => {
  mkdirSync(source);
  for (let i = 0; i < fileCount; i++) writeFileSync(nameOf(i), textOf(i));
  // The host that tells people is not the one under attack.
  const command = ['/bin/sh', '-c', `echo "$HOLDFAST_ALARM $HOLDFAST_TEXT" >> ${alarms}`];
  cluster.configs[witness] = { alerts: { command } };
  await cluster.form(threeSites.slice(0, 2), { surviveSites: 1 });
  await cluster.expect(0, ['backup', '--dataset', 'office', source], origin);
  encryptInPlace();
  await cluster.expect(0, ['backup', '--dataset', 'office', source], origin);
});

afterAll(() => cluster[Symbol.asyncDispose]());

async function suspectsAt(site: string): Promise<SnapshotReport[]> {
  const { out } = await cluster.expect(0, ['snapshots', '--suspect', '--json'], site);
  return JSON.parse(out) as SnapshotReport[];
}

async function suspectsOfKit(): Promise<SnapshotReport[]> {
  const recovery = await cluster.recovery(witness);
  const { out } = await cluster.expect(0, ['snapshots', '--suspect', '--json', ...recovery]);
  return JSON.parse(out) as SnapshotReport[];
}

describe('the day of a ransomware attack', () => {
  it('ends with a suspect snapshot at every member, and people are told', async () => {
    await until('the alarm has been raised', 30_000, async () => existsSync(alarms));
    expect(readFileSync(alarms, 'utf8')).toMatch(/^suspect-snapshot .* office is suspect: .*named/);
    const suspects = await suspectsAt(witness);
    expect(suspects).toHaveLength(1);
    expect(suspects[0]?.suspicion?.reasons).toHaveLength(3);
    const status = await cluster.expect(0, ['status'], witness);
    expect(status.out).toContain('of office is suspect');
  });

  it('leaves the last clean snapshot to be restored, and says which one it is', async () => {
    const shown = await cluster.expect(0, ['tripwire', 'list', '--json'], witness);
    const [suspect] = messages(shown.out) as unknown as [{ last_clean: { snapshot: string } }];
    const target = join(cluster.root, 'restored');
    const kit = ['--kit', cluster.kit, '-t', target];
    await cluster.expect(0, ['restore', suspect.last_clean.snapshot, ...kit], witness);
    const restored = join(target, source);
    expect(readdirSync(restored)).toHaveLength(fileCount);
    expect(readFileSync(join(restored, 'report-7.txt'), 'utf8')).toBe(textOf(7));
  });

  it('stays suspect for the source, and ends with an operator’s word', async () => {
    const { out } = await cluster.expect(0, ['tripwire', 'list', '--json'], origin);
    const [suspect] = messages(out) as unknown as [{ snapshot: string }];
    const clear = ['tripwire', 'clear', suspect.snapshot, '--reason', 'an exercise'];
    expect(await suspectsOfKit(), 'who holds the kit sees it, too').toHaveLength(1);
    await cluster.expect(12, clear, witness);
    await cluster.expect(0, clear, origin);
    await until('the other site has heard', 30_000, async () => {
      return (await suspectsAt(witness)).length === 0;
    });
    await until('who holds the kit has heard, too', 30_000, async () => {
      return (await suspectsOfKit()).length === 0;
    });
  });
});
