import { createCipheriv, createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';

export function filesBelow(root: string): string[] {
  const found: string[] = [];
  const walk = (directory: string): void => {
    const entries = fs.readdirSync(directory, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) found.push(path);
    }
  };
  walk(root);
  return found;
}

/** The same bytes for the same tag, and no pattern in them. */
export function keystream(tag: string, size: number): Buffer {
  const key = createHash('sha256').update(tag).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
