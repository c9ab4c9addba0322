import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { systemError } from './system-error.ts';

export type DiskProbe = {
  /** "ext4", "tmpfs", ...; hexadecimal where it is not known by name. */
  readonly fileSystem: string;
  /** In memory: nothing survives the power. */
  readonly isVolatile: boolean;
  /** Of another host, over the network. */
  readonly isRemote: boolean;
  readonly freeBytes: number;
  /** Each of a small write that is followed by a sync. */
  readonly syncMs: readonly number[];
};

const syncs = 32;

const names: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
  16914836: 'tmpfs',
  2240043254: 'ramfs',
  26985: 'nfs',
  4283649346: 'cifs',
  4266872130: 'smb2',
  1702057286: 'fuse',
  2035054128: 'overlayfs',
  19780: 'vfat',
  538032816: 'exfat',
  1397114950: 'ntfs3',
};
const volatile = ['tmpfs', 'ramfs'];
const remote = ['nfs', 'cifs', 'smb2', 'fuse'];

/** What a directory's file system is, and how long it takes to make a few bytes durable. @throws HoldfastError */
export async function probeDisk(directory: string): Promise<DiskProbe> {
  try {
    const { type, bavail, bsize } = await statfs(directory);
    const fileSystem = names[type] ?? `0x${type.toString(16)}`;
    return {
      fileSystem,
      isVolatile: volatile.includes(fileSystem),
      isRemote: remote.includes(fileSystem),
      freeBytes: bavail * bsize,
      syncMs: await measureSyncs(directory),
    };
  } catch (error) {
    throw systemError(error, `measure ${directory}`);
  }
}

async function measureSyncs(directory: string): Promise<number[]> {
  const folder = await mkdtemp(join(directory, '.holdfast-check-'));
  try {
    const file = await open(join(folder, 'sync'), 'wx', 0o600);
    try {
      const times: number[] = [];
      const bytes = new Uint8Array(4096);
      for (let i = 0; i < syncs; i++) {
        await file.write(bytes, 0, bytes.length, i * bytes.length);
        const startMs = performance.now();
        await file.sync();
        times.push(performance.now() - startMs);
      }
      return times;
    } finally {
      await file.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
