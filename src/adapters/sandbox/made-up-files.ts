import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KiB } from '../../base/units.ts';
import type { MadeUpFile } from '../../core/policy/made-up-tree.ts';

const pieceSize = 64 * KiB;
/** Of text that compression shrinks: words of no language. */
const words = Array.from({ length: 400 }, () => randomBytes(randomInt(2, 7)).toString('hex'));

/** Writes files that do not exist yet. */
export function writeMadeUp(root: string, files: readonly MadeUpFile[]): void {
  for (const { path, size, isDense } of files) {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeContent(full, size, isDense ? randomBytes : textOf);
  }
}

/** Gives some of them new content, as the people do who work with them. */
export function changeMadeUp(root: string, files: readonly MadeUpFile[]): void {
  for (const { path, size, isDense } of files) {
    writeContent(join(root, path), size, isDense ? randomBytes : textOf);
  }
}

/** Does to every file what ransomware does. */
export function encryptMadeUp(root: string, files: readonly MadeUpFile[]): void {
  for (const { path, size } of files) {
    const full = join(root, path);
    writeContent(full, size, randomBytes);
    renameSync(full, `${full}.locked`);
  }
}

function writeContent(path: string, size: number, contentOf: (size: number) => Buffer): void {
  const file = openSync(path, 'w', 0o600);
  try {
    for (let done = 0; done < size; done += pieceSize) {
      writeSync(file, contentOf(Math.min(pieceSize, size - done)));
    }
  } finally {
    closeSync(file);
  }
}

function textOf(size: number): Buffer {
  const text: string[] = [];
  for (let length = 0; length < size; ) {
    const word = words[randomInt(words.length)] ?? '';
    text.push(word);
    length += word.length + 1;
  }
  return Buffer.from(text.join(' ').padEnd(size)).subarray(0, size);
}
