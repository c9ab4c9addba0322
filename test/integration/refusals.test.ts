import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterId, PeerKey } from '../../src/core/ids.ts';
import { ask, openAs } from '../support/acting-member.ts';
import { Cluster, fiveSites, messages, type Outcome, pause, told } from '../support/cluster.ts';
import { randomBytes, writeFiles } from '../support/sample-files.ts';

const cluster = new Cluster();
const other = new Cluster();
const origin = 'ams1';
const source = join(cluster.root, 'source');
const alone = fiveSites.slice(0, 1);

beforeAll(async () => {
  mkdirSync(source);
  writeFiles(source, { count: 20, seed: 'refusals', sizeMax: 5000 });
  await Promise.all([
    cluster.form(alone, { surviveSites: 1 }),
    ...alone.map((site) => other.found(site, { surviveSites: 1 })),
  ]);
  await cluster.backup(origin, [source]);
});

afterAll(() => Promise.all([cluster[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]));

/** Why a command failed, as its `--json` output says. */
function failureOf(outcome: Outcome): { code: unknown; message: string; next: string } {
  const failure = messages(outcome.err).find(({ message_type }) => message_type === 'exit_error');
  if (failure === undefined) throw new Error(told(outcome));
  const { code, message, next } = failure;
  return { code, message: String(message), next: String(next) };
}

describe('a stranger', () => {
  const secret = randomBytes('stranger', 32);

  it('with a valid identity is cut after the handshake, and gets no answer', async () => {
    const { clusterId, peerKey, addresses } = await cluster.api(origin).identity();
    await using network = await openAs(secret, clusterId as ClusterId);
    const [address = ''] = addresses;
    await expect(network.connectTo(address)).rejects.toMatchObject({ code: /peer-/ });
    const peer = peerKey as PeerKey;
    await expect(network.connect(peer, addresses)).rejects.toMatchObject({ code: /peer-/ });
    const hello = { case: 'hello', value: { version: '1', timeMs: 0n } } as const;
    await expect(ask(network, peer, hello)).rejects.toMatchObject({ code: /peer-/ });
    const peers = await cluster.api(origin).peers();
    expect(peers.map(({ name }) => name)).toEqual([origin]);
  });

  it('that speaks no known protocol does not disturb the agent', async () => {
    const [address = ''] = (await cluster.api(origin).identity()).addresses;
    const port = Number(address.split('/').at(-1));
    const sent = ['', 'GET / HTTP/1.1\r\n\r\n', randomBytes('noise', 100_000)];
    await Promise.all(sent.map((bytes) => sendAndLeave(port, bytes)));
    await cluster.expect(0, ['check'], origin);
  });
});

async function sendAndLeave(port: number, bytes: string | Uint8Array): Promise<void> {
  const socket = createConnection(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  socket.write(bytes);
  await pause(300);
  socket.destroy();
}

describe('an invite code', () => {
  it('admits one agent only', async () => {
    const guest = { name: 'lon1', region: 'eu' };
    const options = ['--role', 'source'];
    const file = await cluster.invite(guest, { through: origin, options });
    await cluster.join(guest.name, file);
    // As when it was cut off at its last step.
    rmSync(join(cluster.state(guest.name), 'genesis'));
    const cut = await cluster.expect(10, ['agent'], guest.name);
    expect(cut.err).toMatch(/joining was cut off[\s\S]*with the same code/);
    await cluster.join(guest.name, file);
    const outcome = await cluster.join('lon2', file, 24);
    expect(outcome.err).toMatch(/invite has admitted an agent before|invite is not open/);
  });

  it('that has ended admits nobody, and the reason says so', async () => {
    const guest = { name: 'par1', region: 'eu' };
    const file = await cluster.invite(guest, { through: origin, options: ['--ttl', '1s'] });
    await pause(1500);
    const outcome = await cluster.join('par1', file, 24);
    expect(outcome.err).toMatch(/the invite (has )?ended/);
    expect(outcome.err).toContain('holdfast invite');
  });

  it('that is mistyped is refused before anybody is asked', async () => {
    const guest = { name: 'rom1', region: 'eu' };
    const file = await cluster.invite(guest, { through: origin });
    const code = readFileSync(file, 'utf8');
    const at = code.length - 20;
    const wrong = code[at] === 'a' ? 'b' : 'a';
    writeFileSync(file, `${code.slice(0, at)}${wrong}${code.slice(at + 1)}`);
    const outcome = await cluster.join('rom1', file, 2);
    expect(outcome.err).toMatch(/mistyped/);
  });
});

describe('a recovery kit', () => {
  it('of another cluster opens nothing, and the reason says so', async () => {
    const [, , , peer = ''] = await cluster.recovery(origin);
    const target = join(cluster.root, 'wrong kit');
    const command = ['restore', 'latest', '--kit', other.kit, '--peer', peer, '-t', target];
    const failure = failureOf(await cluster.expect(12, [...command, '--json']));
    expect(failure.message).toMatch(/kit/);
    expect(failure.next).toMatch(/cluster/);
  });

  it('with a mistyped line is refused before anybody is asked', async () => {
    const text = readFileSync(cluster.kit, 'utf8');
    const kit = join(cluster.root, 'mistyped.txt');
    const mistyped = text.replace(/^(Identity: +\S{30})(\S)/m, (_, start: string, digit: string) =>
      start.concat(digit === 'Q' ? 'P' : 'Q'),
    );
    writeFileSync(kit, mistyped, { mode: 0o600 });
    const failure = failureOf(await cluster.expect(12, ['snapshots', '--kit', kit, '--json']));
    expect(failure.message).toMatch(/identity|check/i);
  });
});

describe('the command line', () => {
  it('lets no second agent use a state directory: exit 11', async () => {
    const outcome = await cluster.expect(11, ['agent'], origin);
    expect(outcome.err).toMatch(/in use|runs|another/);
  });

  it('founds no dataset for a path that is mistyped: exit 1', async () => {
    const mistyped = ['backup', '/no/such/path', '--dataset', 'typo', '--json'];
    const failure = failureOf(await cluster.expect(1, mistyped, origin));
    expect(failure).toMatchObject({
      code: 'not-found',
      message: 'nothing to back up: /no/such/path not found',
      next: expect.stringMatching(/^name what is on the agent's host: holdfast backup /),
    });
    const { datasets } = await cluster.api(origin).status();
    expect(datasets.map(({ name }) => name)).not.toContain('typo');
  });

  it('restores into no directory that holds something: exit 26', async () => {
    const target = join(cluster.root, 'not empty');
    mkdirSync(target);
    writeFileSync(join(target, 'precious'), 'mine');
    const outcome = await cluster.restore('latest', target, origin);
    expect(outcome.code, told(outcome)).toBe(26);
    expect(failureOf(outcome)).toMatchObject({ code: 'unsafe-target' });
    expect(readFileSync(join(target, 'precious'), 'utf8')).toBe('mine');
  });

  it('says that a state directory belongs to no cluster: exit 10', async () => {
    cluster.prepare('fresh');
    const outcome = await cluster.expect(10, ['agent'], 'fresh');
    expect(outcome.err).toMatch(/holdfast init|holdfast join/);
    expect((await cluster.expect(10, ['status'], 'fresh')).err).toMatch(/belongs to no cluster/);
  });

  it('says how to start the agent when none runs: exit 1', async () => {
    await cluster.stop(origin);
    const state = cluster.state(origin);
    for (const command of [['status'], ['snapshots'], ['check'], ['backup', source]]) {
      const failure = failureOf(await cluster.expect(1, [...command, '--json'], origin));
      expect(failure).toMatchObject({
        code: 'agent-not-running',
        next: `holdfast agent -s ${state}`,
      });
    }
  });
});
