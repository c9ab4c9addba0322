import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MiB } from '../../src/base/units.ts';

/** Where a restored file or tree is not the source, in names, bytes, mode and whole seconds of mtime; at most 20. */
export async function differences(source: string, restored: string): Promise<string[]> {
  const found: string[] = [];
  const buffers = { a: Buffer.alloc(MiB), b: Buffer.alloc(MiB) };
  const compare = (a: string, b: string): void => {
    if (found.length >= 20) return;
    const [facts, others] = [statSync(a), statSync(b, { throwIfNoEntry: false })];
    if (others === undefined) found.push(`${b} is missing`);
    else if (facts.mode !== others.mode) found.push(`${b} has another mode`);
    else if (Math.floor(facts.mtimeMs / 1000) !== Math.floor(others.mtimeMs / 1000)) {
      found.push(`${b} has another time`);
    } else if (facts.isDirectory()) {
      const [names, otherNames] = [readdirSync(a).sort(), readdirSync(b).sort()];
      if (names.join('/') !== otherNames.join('/')) found.push(`${b} has other names in it`);
      for (const name of names) compare(join(a, name), join(b, name));
    } else if (!hasSameBytes(a, b, buffers)) found.push(`${b} has other content`);
  };
  compare(source, restored);
  return found;
}

function hasSameBytes(a: string, b: string, buffers: { a: Buffer; b: Buffer }): boolean {
  const [first, second] = [openSync(a, 'r'), openSync(b, 'r')];
  try {
    if (fstatSync(first).size !== fstatSync(second).size) return false;
    for (;;) {
      const count = readSync(first, buffers.a);
      if (readSync(second, buffers.b, 0, count, null) !== count) return false;
      if (count === 0) return true;
      if (!buffers.a.subarray(0, count).equals(buffers.b.subarray(0, count))) return false;
    }
  } finally {
    closeSync(first);
    closeSync(second);
  }
}
