import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InitOptions, InviteOptions, JoinOptions } from '../../../src/cli/backend.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { fakeBackend, jsonLines, run } from './fake-world.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hf-cli-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const member = {
  clusterId: 'fe'.repeat(32),
  clusterName: 'acme',
  name: 'ams-1',
  site: 'ams',
  region: 'eu',
  addresses: ['/ip4/192.0.2.1/tcp/7420'],
};

const where = ['--site', 'ams', '--region', 'eu'];

describe('init', () => {
  const kitText = 'HOLDFAST KIT secret words\n';
  const founding = (seen: InitOptions[] = []) =>
    fakeBackend({
      initCluster: async (options) => {
        seen.push(options);
        return { ...member, surviveSites: 1, operators: ['Ada'], threshold: 1, kitText };
      },
      startAgent: async () => ({ pid: 4711 }),
    });

  it('hands every flag on', async () => {
    const seen: InitOptions[] = [];
    const argv = ['init', ...where, '--name', 'n', '--cluster', 'c', '--listen', '127.0.0.1:0'];
    await run([...argv, '--survive-sites', '2', '-s', '/s', '-c', '/c', '--kit', '-'], {
      backend: founding(seen),
    });
    expect(seen).toEqual([
      {
        stateDir: '/s',
        configFile: '/c',
        site: 'ams',
        region: 'eu',
        name: 'n',
        cluster: 'c',
        listen: ['127.0.0.1:0'],
        surviveSites: 2,
      },
    ]);
  });

  describe('with several operators', () => {
    const keys = ['a', 'b', 'c'].map((digit) => digit.repeat(64));
    const named = ['Ada', 'Bea', 'Cle'].map((name, i) => `${name}:${keys[i]}`);
    const operators = named.flatMap((text) => ['--operator', text]);
    const init = ['init', ...where, '--kit', '-'];

    it('has most of them sign unless it is told how many', async () => {
      const seen: InitOptions[] = [];
      await run([...init, ...operators], { backend: founding(seen) });
      await run([...init, ...operators, '--threshold', '3'], { backend: founding(seen) });
      expect(seen.map((one) => one.operators?.threshold)).toEqual([2, 3]);
      expect(seen[0]?.operators?.named).toEqual([
        { name: 'Ada', key: keys[0] },
        { name: 'Bea', key: keys[1] },
        { name: 'Cle', key: keys[2] },
      ]);
    });

    it('takes the policy and the custodians', async () => {
      const seen: InitOptions[] = [];
      const file = join(directory, 'policy.json');
      writeFileSync(file, '{"destructiveDelay": "3s", "survive": {"sites": 1}}');
      const custodians = ['Dan', 'Eva', 'Fay'].flatMap((name) => ['--custodian', name]);
      const argv = [...init, '--policy', file, ...custodians];
      const { code } = await run(argv, { backend: founding(seen) });
      expect(code).toBe(0);
      expect(seen[0]).toMatchObject({
        policy: { destructiveDelay: '3s' },
        surviveSites: 1,
        custody: { threshold: 2, custodians: [{ name: 'Dan' }, { name: 'Eva' }, { name: 'Fay' }] },
      });
    });

    it.each([
      ['a threshold that nobody reaches', ['--threshold', '4'], '--threshold must be 1 to 3'],
      ['one name twice', ['--operator', `Ada:${'d'.repeat(64)}`], 'two operators have one name'],
      ['one key twice', ['--operator', `Dan:${keys[0]}`], 'two operators have one key'],
      ['a key without a name', ['--operator', 'ada.pub'], 'is not NAME:KEY'],
      ['custodians that nobody named', ['--share-threshold', '2'], 'needs custodians'],
    ])('refuses %s, and founds nothing', async (_, more, problem) => {
      const seen: InitOptions[] = [];
      const outcome = await run([...init, ...operators, ...more], { backend: founding(seen) });
      expect(outcome).toMatchObject({ code: 2, err: expect.stringContaining(problem) });
      expect(seen).toEqual([]);
    });

    it('never takes the secret half of a key for the public one', async () => {
      const file = join(directory, 'ada.key');
      writeFileSync(file, `HOLDFAST-OPERATOR-SECRET-1 ${'a'.repeat(64)}\n`);
      const { code, err } = await run([...init, '--operator', `Ada:${file}`], {
        backend: founding(),
      });
      expect(code).toBe(2);
      expect(err).toContain('the secret half');
    });
  });

  it('writes the kit to a file of its owner, and then does not print it', async () => {
    const file = join(directory, 'kit.txt');
    const { code, out, err } = await run(['init', ...where, '--kit', file], {
      backend: founding(),
    });
    expect(code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(kitText);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(out + err).not.toContain('secret words');
    expect(out).toContain(file);
    expect(err).toContain('next: holdfast agent\n');
  });

  it('prints the kit on a terminal with the instruction to keep it', async () => {
    const { out } = await run(['init', ...where, '--no-color'], {
      backend: founding(),
      isTty: true,
    });
    expect(out).toContain('print this now and put it in a safe');
    expect(out.split('secret words')).toHaveLength(2);
  });

  it('refuses to print the kit into a pipe unless asked', async () => {
    const seen: InitOptions[] = [];
    const { code, err } = await run(['init', ...where], { backend: founding(seen) });
    expect(code).toBe(2);
    expect(err).toContain('--kit FILE');
    expect(seen).toEqual([]);
    const asked = await run(['init', ...where, '--kit', '-', '--json'], { backend: founding() });
    expect(jsonLines(asked.out)[0]).toMatchObject({
      message_type: 'summary',
      kit: kitText,
      cluster_name: 'acme',
    });
  });

  it('never overwrites a kit, and founds nothing then', async () => {
    const file = join(directory, 'kit.txt');
    writeFileSync(file, 'another');
    const seen: InitOptions[] = [];
    const { code } = await run(['init', ...where, '--kit', file], { backend: founding(seen) });
    expect(code).toBe(1);
    expect(seen).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe('another');
  });

  it('leaves no file behind when the cluster is not founded', async () => {
    const file = join(directory, 'kit.txt');
    const initCluster = async (): Promise<never> => {
      throw new HoldfastError('state-exists', 'already a member');
    };
    const { code } = await run(['init', ...where, '--kit', file], {
      backend: fakeBackend({ initCluster }),
    });
    expect(code).toBe(1);
    expect(existsSync(file)).toBe(false);
  });

  it('starts the agent when asked, and shows how others join', async () => {
    const { out, err } = await run(['init', ...where, '--kit', '-', '--start'], {
      backend: founding(),
    });
    expect(out).toContain('process 4711');
    expect(err).toContain('next: holdfast invite');
  });
});

describe('invite', () => {
  it('prints the code alone on standard output', async () => {
    const seen: InviteOptions[] = [];
    const backend = fakeBackend({
      invite: async (options) => {
        seen.push(options);
        const expiresMs = 1_000_000 + options.ttlMs;
        return { code: 'CODE', site: 'ber', region: 'eu', roles: ['storage'], expiresMs };
      },
    });
    const world = { backend, nowMs: () => 1_000_000 };
    const { out, err } = await run(
      ['invite', '--site', 'ber', '--region', 'eu', '-s', '/s'],
      world,
    );
    expect(out).toBe('CODE\n');
    expect(err).toContain('as storage, within 1 d');
    const flags = ['--role', 'storage', 'voter', '--ttl', '2h', '--operator-key', 'key'];
    const json = await run(['invite', ...where, '-s', '/s', '--json', ...flags], world);
    expect(jsonLines(json.out)).toEqual([
      {
        message_type: 'invite',
        code: 'CODE',
        site: 'ber',
        region: 'eu',
        roles: ['storage'],
        expires: new Date(1_000_000 + 7_200_000).toISOString(),
      },
    ]);
    expect(seen).toEqual([
      {
        ...{ stateDir: '/s', site: 'ber', region: 'eu', roles: [], ttlMs: 86_400_000 },
        operatorKeyFiles: [],
      },
      {
        stateDir: '/s',
        site: 'ams',
        region: 'eu',
        roles: ['storage', 'voter'],
        ttlMs: 7_200_000,
        operatorKeyFiles: ['/work/key'],
      },
    ]);
  });

  it('takes roles with commas between them, and says which word is none', async () => {
    const seen: InviteOptions[] = [];
    const backend = fakeBackend({
      invite: async (options) => {
        seen.push(options);
        return { code: 'CODE', site: 'ams', region: 'eu', roles: ['storage'], expiresMs: 1 };
      },
    });
    const world = { backend, nowMs: () => 0 };
    await run(['invite', ...where, '-s', '/s', '--role', 'source, storage', 'voter,source'], world);
    await run(['invite', ...where, '-s', '/s', '--role', 'source,', 'storage,voter'], world);
    const all = ['source', 'storage', 'voter'];
    expect(seen.map(({ roles }) => roles)).toEqual([all, all]);
    const wrong = await run(['invite', ...where, '-s', '/s', '--role', 'storage,voters'], world);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('There is no role "voters"; roles: source, storage');
  });
});

describe('join', () => {
  const joining = (seen: JoinOptions[] = []) =>
    fakeBackend({
      join: async (options) => {
        seen.push(options);
        return { ...member, roles: ['source', 'storage'] };
      },
    });

  it('takes the code from a file or from standard input, never from the command line', async () => {
    const file = join(directory, 'code');
    writeFileSync(file, ' CODE\n');
    const seen: JoinOptions[] = [];
    const backend = joining(seen);
    const { code, out } = await run(['join', '--code-file', file, '-s', '/s'], { backend });
    expect(code).toBe(0);
    expect(out).toContain('Joined cluster acme (fefefefe) as ams-1');
    const stdin = Readable.from(['TYP', 'ED\n']);
    await run(['join', '--code-file', '-', '-s', '/s', '--name', 'n'], { backend, stdin });
    expect(seen).toEqual([
      { stateDir: '/s', code: 'CODE', listen: [] },
      { stateDir: '/s', code: 'TYPED', name: 'n', listen: [] },
    ]);
    expect((await run(['join', 'CODE'], { backend })).code).toBe(2);
  });

  it('refuses an empty or missing code', async () => {
    const empty = await run(['join', '--code-file', '-'], { backend: joining() });
    expect(empty.code).toBe(2);
    const missing = await run(['join', '--code-file', join(directory, 'none')]);
    expect(missing.code).toBe(1);
  });
});

it('demo prints each line, and JSON when asked', async () => {
  const seen: unknown[] = [];
  const backend = fakeBackend({
    demo: async ({ print, ...options }) => {
      seen.push(options);
      print('one');
      print('two');
    },
  });
  expect((await run(['demo', 'x', '--once', '--keep'], { backend })).out).toBe('one\ntwo\n');
  const json = await run(['demo', '--json'], { backend });
  expect(jsonLines(json.out)).toEqual([
    { message_type: 'status', text: 'one' },
    { message_type: 'status', text: 'two' },
  ]);
  expect(seen).toEqual([
    { paths: ['/work/x'], once: true, keep: true },
    { paths: [], once: false, keep: false },
  ]);
});
