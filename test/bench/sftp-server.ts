import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { end } from '../support/child-process.ts';
import { installSshd } from './opponents.ts';

export type SftpServer = AsyncDisposable & {
  /** For restic's option sftp.command. */
  readonly command: string;
  readonly words: string;
};

const sshd = '/usr/sbin/sshd';
const plainServers = ['/usr/lib/openssh/sftp-server', '/usr/libexec/openssh/sftp-server'];

/** An SSH server of our own on the loopback address, with keys of its own; or, where none can be had, SFTP alone. */
export async function openSftpServer(directory: string): Promise<SftpServer> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const mayServe = process.getuid?.() === 0 && (existsSync(sshd) || installSshd());
  if (mayServe) return serve(directory);
  const plain = plainServers.find((path) => existsSync(path));
  if (plain === undefined) throw new Error('no SFTP server: type  apt-get install openssh-server');
  const words = 'SFTP without SSH (sftp.command): no sshd could be had, which favours restic';
  return { command: plain, words, [Symbol.asyncDispose]: async () => {} };
}

async function serve(directory: string): Promise<SftpServer> {
  for (const name of ['host', 'user']) {
    const file = join(directory, name);
    if (!existsSync(file)) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
    }
  }
  // Where sshd parts with its privileges; its service would make it.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  const config = join(directory, 'sshd_config');
  writeFileSync(
    config,
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${join(directory, 'host')}`,
      `AuthorizedKeysFile ${join(directory, 'user.pub')}`,
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'UsePAM no',
      'StrictModes no',
      'PidFile none',
      'Subsystem sftp internal-sftp',
      '',
    ].join('\n'),
  );
  const child = spawn(sshd, ['-D', '-e', '-f', config], { stdio: 'ignore' });
  await untilListening(child, port);
  const options = [
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'IdentitiesOnly=yes',
    'LogLevel=ERROR',
  ];
  const flags = options.flatMap((option) => ['-o', option]).join(' ');
  const user = join(directory, 'user');
  const command = `ssh -F /dev/null -i ${user} -p ${port} ${flags} root@127.0.0.1 -s sftp`;
  return {
    command,
    words: 'SFTP over SSH to an sshd of its own on the loopback address',
    [Symbol.asyncDispose]: async () => void (await end(child, 'SIGTERM')),
  };
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer().once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (child.exitCode !== null) throw new Error(`sshd ended with code ${child.exitCode}`);
    try {
      execFileSync('ssh-keyscan', ['-T', '1', '-p', String(port), '127.0.0.1'], {
        stdio: 'ignore',
      });
      return;
    } catch {
      await sleep(100);
    }
  }
  throw new Error('sshd does not listen');
}
