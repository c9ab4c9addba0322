import { existsSync } from 'node:fs';
import { chmod, constants, lstat, mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { assert } from '../../base/assert.ts';
import { utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import { makeDirectory, syncDirectory, writeDurable } from './atomic-write.ts';
import { lockFile } from './file-lock.ts';
import { systemError } from './system-error.ts';

/** Directories of one agent's state; each is private (0700) and exists. */
export type StatePaths = {
  readonly shards: string;
  /** Shards of own packs that no peer has taken yet. */
  readonly outbox: string;
  readonly statements: string;
  readonly facts: string;
  /** LevelDB; may be deleted. */
  readonly index: string;
  readonly datasets: string;
  /** The control log's journal. */
  readonly control: string;
  /** Fences, votes and steps of restore plans. */
  readonly plans: string;
  /** Key records of all datasets of the cluster. */
  readonly keys: string;
  /** Key records that operators have not put into force yet. */
  readonly 'staged-keys': string;
  /** The audit log, and what is remembered of others'. */
  readonly audit: string;
  /** What this host has promised to keep, and what time it was. */
  readonly locks: string;
  /** Where drills restore; empty while none runs. */
  readonly staging: string;
};

const subdirectories = [
  'shards',
  'outbox',
  'statements',
  'facts',
  'index',
  'datasets',
  'control',
  'plans',
  'keys',
  'staged-keys',
  'audit',
  'locks',
  'staging',
] as const;

/** Keys, genesis and small JSON records: far below this, so that a planted file cannot fill the memory. */
const fileSizeMax = 4 * 1024 * 1024;

/**
 * Opens an agent's state directory and creates what is missing of it, unless `create` is false.
 * @throws HoldfastError no-cluster (missing, and `create` is false) | config-invalid (others could change it)
 */
export async function openStateDirectory(
  path: string,
  options: { create?: boolean } = {},
): Promise<StateDirectory> {
  const root = resolve(path);
  const isMissing = !existsSync(root);
  if (isMissing && options.create === false) throw noCluster(root);
  try {
    if (isMissing) await mkdir(root, { recursive: true, mode: 0o700 });
    await checkDirectory(root);
  } catch (error) {
    throw systemError(error, `open the state directory ${root}`);
  }
  for (const name of subdirectories) await makeDirectory(join(root, name));
  // Also of what an earlier process made and did not live to sync.
  await syncDirectory(root);
  await syncDirectory(dirname(root));
  return new StateDirectory(root);
}

export class StateDirectory {
  readonly path: string;
  readonly paths: StatePaths;

  constructor(path: string) {
    this.path = path;
    this.paths = Object.fromEntries(
      subdirectories.map((name) => [name, join(path, name)]),
    ) as StatePaths;
  }

  /** Keeps other agents out until disposed, or until this process ends. @throws HoldfastError state-in-use */
  lock(): AsyncDisposable {
    return lockFile(join(this.path, 'lock'));
  }

  has(name: string): boolean {
    return existsSync(this.#file(name));
  }

  /** @throws HoldfastError no-cluster unless the state holds `name`, which every member's does. */
  requireCluster(name: string): void {
    if (!this.has(name)) throw noCluster(this.path);
  }

  /** @throws HoldfastError not-found | config-invalid when others may read the file, or own it */
  async readSecret(name: string): Promise<Uint8Array> {
    return this.#read(name, true);
  }

  /** Durable when resolved; readable by this user only. */
  async writeSecret(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#file(name);
    if (dirname(path) !== this.path) await makeDirectory(dirname(path));
    await writeDurable(path, bytes, 0o600);
  }

  /** @returns undefined when there is no such record. @throws HoldfastError corrupt */
  async readJson(name: string): Promise<unknown> {
    if (!this.has(name)) return undefined;
    const bytes = await this.#read(name, false);
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new HoldfastError('corrupt', `${this.#file(name)} is not valid JSON`, {
        next: 'restore the file, or join the cluster again',
        cause,
      });
    }
  }

  /** Durable when resolved. */
  async writeJson(name: string, value: unknown): Promise<void> {
    await this.writeSecret(name, utf8(`${JSON.stringify(value, undefined, 2)}\n`));
  }

  #file(name: string): string {
    assert(
      /^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)?$/i.test(name),
      'a name inside the state',
    );
    return join(this.path, name);
  }

  async #read(name: string, isSecret: boolean): Promise<Uint8Array> {
    const path = this.#file(name);
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error) => {
      throw systemError(error, `read ${path}`);
    });
    try {
      const { mode, uid, size } = await file.stat();
      if (isSecret) checkPrivate(path, { mode, uid, forbidden: 0o077, wanted: '600' });
      if (size > fileSizeMax) throw new HoldfastError('corrupt', `${path} is far too large`);
      return Uint8Array.from(await file.readFile());
    } catch (error) {
      throw systemError(error, `read ${path}`);
    } finally {
      await file.close();
    }
  }
}

async function checkDirectory(path: string): Promise<void> {
  const { mode, uid } = await lstat(path);
  // A fresh mkdir, or what a service manager made: still empty, so nothing is lost by closing it.
  if ((mode & 0o077) !== 0 && uid === process.getuid?.() && (await readdir(path)).length === 0) {
    await chmod(path, 0o700);
    return;
  }
  // Readable is no harm: everything below is created private. Writable is: files could be swapped.
  checkPrivate(path, { mode, uid, forbidden: 0o022, wanted: '700' });
}

function checkPrivate(
  path: string,
  facts: { mode: number; uid: number; forbidden: number; wanted: string },
): void {
  const self = process.getuid?.();
  if (facts.uid !== self) {
    throw new HoldfastError('config-invalid', `${path} belongs to user ${facts.uid}, not ${self}`, {
      next: `chown ${self} ${quoted(path)}`,
    });
  }
  if ((facts.mode & facts.forbidden) !== 0) {
    const mode = (facts.mode & 0o777).toString(8);
    throw new HoldfastError('config-invalid', `others have access to ${path} (mode ${mode})`, {
      next: `chmod ${facts.wanted} ${quoted(path)}`,
    });
  }
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

function noCluster(path: string): HoldfastError {
  return new HoldfastError('no-cluster', `${path} belongs to no cluster yet`, {
    next: 'holdfast init or holdfast join',
    details: { path },
  });
}

/** Where the agent of a state directory keeps the shards that it holds. */
export function shardDirectoryOf(stateDir: string): string {
  return new StateDirectory(stateDir).paths.shards;
}
