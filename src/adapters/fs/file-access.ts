import { type FileHandle, stat } from 'node:fs/promises';
import { uncleared } from '../../base/uncleared.ts';

/** What the file has of this range: fewer than `size` bytes only at its end. */
export async function readFully(
  file: FileHandle,
  position: number,
  size: number,
): Promise<Uint8Array> {
  const bytes = uncleared(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** All bytes: one write call may take fewer, as when the disk is nearly full. */
export async function writeFully(
  file: FileHandle,
  position: number,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
