import { execFileSync, spawnSync } from 'node:child_process';
import type { Opponent } from './arguments.ts';

const packageOf: Readonly<Record<Opponent | 'sshd', string>> = {
  restic: 'restic',
  borg: 'borgbackup',
  sshd: 'openssh-server',
};

/** The version of a program, or undefined when it is not installed. */
export function versionOf(program: string, args = ['--version']): string | undefined {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim().split('\n')[0] : undefined;
}

/** Versions of the tools, which are installed when they are missing. @throws Error that says what to type */
export function requireOpponents(names: readonly Opponent[]): Map<Opponent, string> {
  const find = (name: Opponent): string | undefined =>
    versionOf(name, name === 'restic' ? ['version'] : ['--version']);
  const missing = names.filter((name) => find(name) === undefined);
  if (missing.length > 0) install(missing.map((name) => packageOf[name]));
  return new Map(names.map((name) => [name, find(name) ?? 'of unknown version']));
}

/** @returns false when it cannot be had. */
export function installSshd(): boolean {
  try {
    install([packageOf.sshd]);
    return true;
  } catch {
    return false;
  }
}

function install(packages: readonly string[]): void {
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (process.getuid?.() !== 0) throw new Error(`not installed: type  sudo ${command}`);
  console.error(`installing ${packages.join(', ')} from the system's packages ...`);
  const [program = '', ...args] = command.split(' ');
  // At run level 1 no package starts a service.
  const env = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' };
  try {
    execFileSync(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  } catch {
    throw new Error(`could not be installed: type  ${command}`);
  }
}
