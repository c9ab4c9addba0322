import { open } from 'node:fs/promises';

export type PrivateFile =
  | { readonly kind: 'read'; readonly bytes: Uint8Array }
  /** `problem`: after the name of the file. */
  | { readonly kind: 'not-private'; readonly problem: string; readonly next: string }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'unreadable'; readonly reason: string; readonly cause: unknown };

/** Reads what nobody but the user of this process may read or replace. What is looked at is what is read. */
export async function readPrivateFile(path: string, sizeMax: number): Promise<PrivateFile> {
  try {
    await using handle = await open(path);
    const { mode, uid, size } = await handle.stat();
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0');
      const next = `chmod 600 ${path}, and think about who may have read it`;
      return { kind: 'not-private', problem: `can be read by others (mode ${shown})`, next };
    }
    if (uid !== process.getuid?.()) {
      const next = 'chown it to yourself, or run this as its owner';
      return { kind: 'not-private', problem: `belongs to another user (uid ${uid})`, next };
    }
    if (size > sizeMax) return { kind: 'too-large' };
    return { kind: 'read', bytes: new Uint8Array(await handle.readFile()) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { kind: 'unreadable', reason, cause };
  }
}
