import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../src/adapters/system/host.ts';
import { scratchDirectory } from './scratch-directory.ts';

const run = promisify(execFile);

export type ObjectGateway = AsyncDisposable & {
  readonly endpoint: string;
  /** As the environment of whoever uses it. */
  readonly credentials: {
    readonly AWS_ACCESS_KEY_ID: string;
    readonly AWS_SECRET_ACCESS_KEY: string;
  };
};

const programs = ['ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'monmaptool', 'ceph'];
const startMsMax = 30_000;

/** Why no S3 server can be started here; undefined: it can. */
export function gatewayMissing(): string | undefined {
  const missing = programs.filter((name) => spawnSync('which', [name]).status !== 0);
  if (missing.length === 0) return undefined;
  return `no S3 server here (${missing.join(', ')}): apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common`;
}

/**
 * A real S3 server for one test: a Ceph cluster of one monitor and one device in memory, with its object gateway, on
 * loopback. Nothing of it is left when it is disposed.
 */
export async function startGateway(): Promise<ObjectGateway> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(scratchDirectory());
  const port = await freePort('127.0.0.1', 0);
  const config = join(path, 'ceph.conf');
  const fsid = randomUUID();
  const monitor = `v2:127.0.0.1:${await freePort('127.0.0.1', 0)}`;
  for (const name of ['mon', 'osd', 'log', 'run']) mkdirSync(join(path, name));
  writeFileSync(config, configText({ path, fsid, monitor, port }));
  const tool = (name: string, ...args: string[]) => run(name, ['-c', config, ...args]);
  const daemon = (name: string, ...args: string[]): void => {
    const child = spawn(name, ['-c', config, '-f', ...args], { stdio: 'ignore' });
    stack.defer(async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) {
        await new Promise((resolve) => child.once('exit', resolve));
      }
    });
  };
  const map = join(path, 'monmap');
  const at = ['--addv', 'a', `[${monitor}]`, '--set-min-mon-release', 'pacific'];
  execFileSync('monmaptool', ['--create', '--fsid', fsid, ...at, map], { stdio: 'ignore' });
  await tool('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map);
  daemon('ceph-mon', '-i', 'a');
  const device = randomUUID();
  await insist(() => tool('ceph', '--connect-timeout', '5', 'osd', 'new', device));
  await tool('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', device);
  daemon('ceph-osd', '-i', '0');
  await tool('ceph', 'osd', 'crush', 'add', 'osd.0', '1.0', 'host=localhost', 'root=default');
  daemon('radosgw', '-n', 'client.rgw');
  const endpoint = `http://127.0.0.1:${port}`;
  await insist(() => fetch(endpoint));
  const credentials = { AWS_ACCESS_KEY_ID: 'TESTKEY', AWS_SECRET_ACCESS_KEY: 'TESTSECRET' };
  const keys = ['--access-key', 'TESTKEY', '--secret-key', 'TESTSECRET'];
  await tool('radosgw-admin', 'user', 'create', '--uid', 'test', '--display-name', 'test', ...keys);
  const owned = stack.move();
  return { endpoint, credentials, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

async function insist(work: () => Promise<unknown>): Promise<void> {
  const endMs = Date.now() + startMsMax;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (Date.now() > endMs) throw error;
      await sleep(100);
    }
  }
}

/** No authentication between its parts, everything in memory, and no waiting for others that never come. */
function configText(options: {
  path: string;
  fsid: string;
  monitor: string;
  port: number;
}): string {
  const { path, fsid, monitor, port } = options;
  const global = {
    fsid,
    'mon host': `[${monitor}]`,
    'mon initial members': 'a',
    'public addr': '127.0.0.1',
    'public network': '127.0.0.1/32',
    'auth cluster required': 'none',
    'auth service required': 'none',
    'auth client required': 'none',
    'auth allow insecure global id reclaim': 'true',
    'mon warn on insecure global id reclaim': 'false',
    'osd pool default size': 1,
    'osd pool default min size': 1,
    'osd pool default pg num': 1,
    'osd pool default pgp num': 1,
    'osd pool default pg autoscale mode': 'off',
    'osd crush chooseleaf type': 0,
    'mon allow pool size one': 'true',
    'mon allow pool delete': 'true',
    'mon max pg per osd': 1000,
    'mon data avail warn': 1,
    'mon data avail crit': 0,
    'mon osd adjust heartbeat grace': 'false',
    // Else each of the first steps waits for a second.
    'paxos propose interval': 0.05,
    'paxos min wait': 0.01,
    'log file': `${path}/log/$name.log`,
    'admin socket': `${path}/run/$name.$pid.asok`,
    'run dir': `${path}/run`,
    'pid file': `${path}/run/$name.pid`,
  };
  const osd = {
    'osd data': `${path}/osd`,
    'osd objectstore': 'memstore',
    'memstore device bytes': '1G',
    'osd class load list': '*',
    'osd class default list': '*',
    'osd max object name len': 460,
    'osd max object namespace len': 64,
  };
  const gateway = {
    // Without it the gateway waits for ever: the monitor offers no other mode.
    'ms mon client mode': 'crc',
    'rgw frontends': `beast endpoint=127.0.0.1:${port} tcp_nodelay=1`,
    'rgw thread pool size': 32,
    'rgw enable apis': 's3,admin',
    'rgw dns name': 'localhost',
    'rgw s3 auth use sts': 'false',
  };
  const part = (name: string, facts: object): string =>
    [`[${name}]`, ...Object.entries(facts).map(([key, value]) => `${key} = ${value}`)].join('\n');
  const mon = { 'mon data': `${path}/mon` };
  const parts = { global, mon, osd, 'client.rgw': gateway };
  return `${Object.entries(parts)
    .map(([name, facts]) => part(name, facts))
    .join('\n')}\n`;
}
