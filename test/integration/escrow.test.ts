import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dayMs } from '../../src/base/units.ts';
import { Cluster, messages, until } from '../support/cluster.ts';

/** One host, whose founders have named three custodians; two shares make the kit. */
const cluster = new Cluster();
const host = 'ams1';
const tree = join(cluster.root, 'tree');
const share = (name: string): string =>
  join(
    cluster.root,
    'shares',
    readdirSync(join(cluster.root, 'shares')).find((one) => one.includes(name)) ?? name,
  );
const bad = join(cluster.root, 'bad.txt');
const clock = join(cluster.root, 'ahead.txt');
const alarms = join(cluster.root, 'alarms.txt');

beforeAll(async () => {
  writeFileSync(clock, '0');
  process.env.STEPPED_CLOCK = clock;
  const loader = new URL('../support/stepped-clock.ts', import.meta.url).href;
  process.env.NODE_OPTIONS = `--import=${loader}`;
  const command = ['/bin/sh', '-c', `echo "$HOLDFAST_ALARM $HOLDFAST_TEXT" >> ${alarms}`];
  cluster.configs[host] = { alerts: { command } };
  const custodians = ['ada', 'ben', 'cleo'].flatMap((name) => ['--custodian', name]);
  const founding = [...custodians, '--share-threshold', '2'];
  await cluster.form([{ name: host, region: 'eu' }], { surviveSites: 0, founding });
  writeFileSync(tree, 'what shall come back');
  await cluster.backup(host, ['--dataset', 'home', tree]);
  const split = ['key', 'split', '--kit', cluster.kit, '-o', join(cluster.root, 'shares')];
  await cluster.expect(0, split, host);
  const text = readFileSync(share('ben'), 'utf8');
  const [, digit] = /^Value:\s+(.)/m.exec(text) ?? [];
  const spoilt = text.replace(/^(Value:\s+)./m, `$1${digit === '0' ? '1' : '0'}`);
  expect(spoilt).not.toBe(text);
  writeFileSync(bad, spoilt, { mode: 0o600 });
});

afterAll(async () => {
  delete process.env.NODE_OPTIONS;
  delete process.env.STEPPED_CLOCK;
  await cluster[Symbol.asyncDispose]();
});

describe('of three shares, two of which make the kit', () => {
  it('one opens nothing', async () => {
    const { err } = await cluster.expect(12, ['key', 'combine', share('ada')]);
    expect(err).toContain('1 of the 2 shares');
    const restore = [
      'restore',
      'latest',
      '--share',
      share('ada'),
      '-t',
      join(cluster.root, 'none'),
    ];
    await cluster.expect(12, restore);
  });

  it('a bad one is named, and does not stand in for another', async () => {
    const { err } = await cluster.expect(12, ['key', 'combine', share('ada'), bad]);
    expect(err).toMatch(/bad\.txt: /);
  });

  it('two make the kit anew', async () => {
    const made = join(cluster.root, 'kit.txt');
    const combine = ['key', 'combine', share('ada'), share('cleo'), '-o', made];
    await cluster.expect(0, combine);
    const secretIn = (file: string) => /AGE-SECRET-KEY\S+/.exec(readFileSync(file, 'utf8'))?.[0];
    expect(secretIn(made)).toBe(secretIn(cluster.kit));
  });

  it('two restore, beside a bad one that is named', async () => {
    const shares = [share('ada'), bad, share('cleo')].flatMap((file) => ['--share', file]);
    const target = join(cluster.root, 'back');
    const [address] = (await cluster.api(host).identity()).addresses;
    const restore = ['restore', 'latest', ...shares, '--peer', String(address), '-t', target];
    const { err } = await cluster.expect(0, restore);
    expect(err).toMatch(/bad\.txt: /);
    // The kit takes the control log that voters from the genesis on have signed, and says nothing of hearsay.
    expect(err).not.toContain('could not be had');
    expect(readFileSync(join(target, tree), 'utf8')).toBe('what shall come back');
  });
});

describe('a custodian shows a share', () => {
  it('on a host that has the role, and on no other', async () => {
    const prove = ['key', 'prove', share('ada')];
    const { err } = await cluster.expect(24, prove, host);
    expect(err).toContain('has not the role custodian');
    expect(err).toContain('--role +custodian');
    await cluster.expect(0, ['peer', 'set', host, '--role', '+custodian'], host);
    await until('the log knows the time', 20_000, async () => {
      return (await cluster.run([...prove, '--json'], host)).code === 0;
    });
    const { out } = await cluster.expect(0, ['key', 'list', '--json'], host);
    expect(messages(out).some((one) => JSON.stringify(one).includes('proved_ms'))).toBe(true);
  });

  it('or people are told, when a quarter has passed in which too few did', async () => {
    expect(existsSync(alarms) && readFileSync(alarms, 'utf8')).not.toMatch(/^escrow /m);
    writeFileSync(clock, String(95 * dayMs));
    await until('the alarm has been raised', 90_000, async () => {
      return existsSync(alarms) && /^escrow /m.test(readFileSync(alarms, 'utf8'));
    });
    const { out } = await cluster.run(['status'], host);
    expect(out).toContain(
      'the kit may no longer be recoverable from its custodians: 0 of 3 have shown their share within a quarter, 2 are needed; overdue: ada, ben, cleo: ',
    );
  });

  it('and told that it is over when all have', async () => {
    for (const name of ['ada', 'ben', 'cleo']) {
      await cluster.expect(0, ['key', 'prove', share(name)], host);
    }
    await until('it is over', 60_000, async () => {
      const told = (await cluster.api(host).alerts()).filter(({ kind }) => kind === 'escrow');
      return told.length > 0 && told.every(({ clearedMs }) => clearedMs !== undefined);
    });
  });
});
