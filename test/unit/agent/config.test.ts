import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig, parseConfig } from '../../../src/agent/config.ts';
import { locateConfig } from '../../../src/agent/config-place.ts';
import { HoldfastError } from '../../../src/core/errors.ts';

const example = fileURLToPath(new URL('../../../config.example.json', import.meta.url));

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hf-config-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function refusal(value: unknown): string {
  try {
    parseConfig(JSON.stringify(value), 'config.json');
  } catch (error) {
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'config-invalid' });
    return (error as HoldfastError).message;
  }
  throw new Error('the configuration was accepted');
}

it('fills in the defaults when there is no file', () => {
  expect(loadConfig(undefined)).toEqual({
    listen: ['/ip4/0.0.0.0/tcp/7420'],
    alerts: { webhooks: [] },
    bandwidth: { upload: 0, download: 0, windows: [], busyLoad: 2 },
    metrics: {},
    traces: {},
    repair: { enabled: true, bandwidth: 32 * 1024 * 1024, recode: 2 ** 30, repack: 30 },
    relay: { serve: false, use: false },
    scrub: { bandwidth: 32 * 1024 * 1024 },
    cold: { bandwidth: 32 * 1024 * 1024 },
    dashboard: { enabled: true, listen: '127.0.0.1:7421', hosts: [] },
    announce: [],
    storage: { reserve: 10 * 2 ** 30 },
    log: { level: 'info' },
    compression: { level: 3 },
    datasets: {},
    leases: {},
    hooks: {
      backup: { before: [], after: [] },
      restore: { before: [], after: [] },
      drill: { before: [], after: [] },
    },
  });
});

it('loads the example, which shows every key', () => {
  const config = loadConfig(example);
  expect(Object.keys(config).sort()).toEqual(
    [
      'alerts',
      'announce',
      'bandwidth',
      'cold',
      'compression',
      'dashboard',
      'datasets',
      'hooks',
      'leases',
      'listen',
      'log',
      'metrics',
      'relay',
      'repair',
      'scrub',
      'storage',
      'threads',
      'traces',
    ].sort(),
  );
  expect(config.storage).toEqual({ reserve: 10 * 2 ** 30, limit: 500 * 2 ** 30 });
  expect(Object.keys(config.datasets)).toEqual(['documents', 'media']);
  expect(Object.keys(config.datasets.documents ?? {}).sort()).toEqual(
    [
      'chunkAverage',
      'exclude',
      'excludeCaches',
      'excludeIfPresent',
      'excludeLargerThan',
      'iexclude',
      'oneFileSystem',
      'paths',
      'tags',
    ].sort(),
  );
  expect(config.datasets.media).toMatchObject({ paths: ['/srv/media'], chunkAverage: 262_144 });
});

it('accepts comments anywhere and keeps none', () => {
  const config = parseConfig(
    '{"$comment":["a"],"log":{"$comment":"b"},"datasets":{"$comment":"c"}}',
    'x',
  );
  expect(JSON.stringify(config)).not.toContain('comment');
});

it('freezes what it loads, all the way down', () => {
  const config = parseConfig('{"datasets":{"d":{"paths":["/x"]}}}', 'x');
  for (const part of [config, config.storage, config.datasets, config.datasets.d?.paths]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
});

it.each([
  [{ lisen: [] }, 'lisen: unknown key; did you mean "listen"?'],
  [{ storage: { limt: 1 } }, 'storage.limt: unknown key; did you mean "limit"?'],
  [
    { datasets: { d: { paths: ['/x'], exlude: [] } } },
    'datasets.d.exlude: unknown key; did you mean "exclude"?',
  ],
  [{ log: { colour: true } }, 'log.colour: unknown key; known: level'],
  [
    { bandwidth: { windows: [{ hours: '08:00-18:00', uplod: 0 }] } },
    'bandwidth.windows[0].uplod: unknown key; did you mean "upload"?',
  ],
  [
    { datasets: { hooks: { paths: ['/x'], exlude: [] } } },
    'datasets.hooks.exlude: unknown key; did you mean "exclude"?',
  ],
  [
    { datasets: { d: { paths: ['/x'], hooks: { befor: [] } } } },
    'datasets.d.hooks.befor: unknown key; did you mean "before"?',
  ],
  [
    { hooks: { backup: { after: [{ command: ['/x'], onFail: 'warn' }] } } },
    'hooks.backup.after[0].onFail: unknown key; known: command, timeout, onFailure',
  ],
  [{ alerts: { mail: { servr: 'x' } } }, 'alerts.mail.servr: unknown key; did you mean "server"?'],
  [
    { leases: { d: { stop: ['/x'], watchdogg: '/x' } } },
    'leases.d.watchdogg: unknown key; did you mean "watchdog"?',
  ],
])('names the unknown key of %j and the nearest known one', (value, message) => {
  expect(refusal(value)).toContain(message);
});

it.each([
  [{ listen: ['0.0.0.0:1'] }, 'listen[0]: is no multiaddr'],
  [{ storage: { reserve: 'much' } }, 'storage.reserve'],
  [{ datasets: { d: { paths: ['relative'] } } }, 'datasets.d.paths[0]: is no absolute path'],
  [{ datasets: { d: { paths: [] } } }, 'datasets.d.paths'],
  [{ datasets: { 'a/b': { paths: ['/x'] } } }, 'datasets.a/b: is no dataset name'],
  [{ datasets: { d: { paths: ['/x'], chunkAverage: '65KiB' } } }, 'datasets.d.chunkAverage'],
  [{ compression: { level: 99 } }, 'compression.level'],
  [{ bandwidth: { upload: '1KiB' } }, 'bandwidth.upload'],
  [{ bandwidth: { windows: [{ hours: '8-18' }] } }, 'bandwidth.windows[0].hours'],
  [{ log: { level: 'loud' } }, 'log.level'],
  [[], 'the file'],
])('refuses %j and names the place', (value, place) => {
  expect(refusal(value)).toContain(place);
});

it('names every mistake at once', () => {
  const message = refusal({ threads: 0, announce: 'x' });
  expect(message).toContain('threads');
  expect(message).toContain('announce');
});

it('says what is wrong with a file that is missing or no JSON', () => {
  const broken = join(directory, 'broken.json');
  writeFileSync(broken, '{"listen": ');
  expect(() => loadConfig(broken)).toThrow(/broken\.json is not JSON/);
  expect(() => loadConfig(join(directory, 'none.json'))).toThrow(/cannot read the configuration/);
});

it('finds the file asked for first, then that of the state directory, then none', () => {
  expect(locateConfig({ stateDir: directory })).toBeUndefined();
  writeFileSync(join(directory, 'config.json'), '{}');
  expect(locateConfig({ stateDir: directory })).toBe(join(directory, 'config.json'));
  expect(locateConfig({ stateDir: directory, file: '/other.json' })).toBe('/other.json');
});

it.each([
  [{ webhooks: [{ url: 'ftp://example.org/' }] }, 'alerts.webhooks[0].url: is no address'],
  [{ webhooks: [{ url: 'https://a:b@example.org/' }] }, 'without user and password'],
  [
    { webhooks: [{ url: 'https://example.org/', timeout: '1h' }] },
    'webhooks[0].timeout: is no time',
  ],
  [
    { webhooks: [{ url: 'https://example.org/', secret: 'x' }] },
    'unknown key; known: url, secretFile, timeout',
  ],
  [{ mail: { server: 'mx.example.org', from: 'a@b', to: ['c@d'], security: 'none' } }, 'in clear'],
  [
    { mail: { server: 'mx', from: 'a@b', to: ['c@d'], user: 'me' } },
    'alerts.mail.passwordFile: goes with user',
  ],
  [{ mail: { server: 'mx', from: 'nobody', to: [] } }, 'alerts.mail.from: is no address'],
])('says what is wrong with who is told of alarms: %j', (alerts, reason) => {
  expect(refusal({ alerts })).toContain(reason);
});

it('takes webhooks and mail, with the usual times and ports', () => {
  const mail = { server: '127.0.0.1', from: 'a@b', to: ['c@d'], security: 'none' };
  const webhooks = [{ url: 'https://hooks.example.org/x' }];
  const { alerts } = parseConfig(JSON.stringify({ alerts: { mail, webhooks } }), 'config.json');
  expect(alerts.webhooks).toEqual([{ url: 'https://hooks.example.org/x', timeout: 10_000 }]);
  expect(alerts.mail).toEqual(mail);
});

it.each([
  [{ store: 'ftp://somewhere' }, 'cold.store: is neither'],
  [{ store: 's3://a' }, 'cold.store: is neither'],
  [{ store: 'relative/path' }, 'cold.store: is neither'],
  [{ endpoint: 'https://key:secret@s3.example.org' }, 'cold.endpoint: is no address'],
  [{ endpoint: 'https://s3.example.org/bucket' }, 'cold.endpoint: is no address'],
  [{ delay: 'soon' }, 'cold.delay: is no duration'],
  [{ pricePerGiB: 'free' }, 'cold.pricePerGiB: is no price'],
  [{ storageClass: 'GLACIER' }, 'cold.storageClass'],
  [{ secret: 'x' }, 'cold.secret: unknown key'],
])('refuses the cold store %j', (cold, reason) => {
  expect(refusal({ cold })).toContain(reason);
});

it('takes a bucket with or without a prefix, and a directory', () => {
  for (const store of ['s3://backups', 's3://backups/host-1/x', '/mnt/slow', '/']) {
    expect(parseConfig(JSON.stringify({ cold: { store } }), 'config.json').cold.store).toBe(store);
  }
});
