import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes that compress to nothing less, the same for the same seed. */
export function randomBytes(seed: string, size: number): Buffer {
  return createHash('shake256', { outputLength: size }).update(seed).digest();
}

/** Small files in directories of twenty. @returns their paths below `path`. */
export function writeFiles(
  path: string,
  options: { count: number; seed: string; sizeMax: number },
): string[] {
  const { count, seed, sizeMax } = options;
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const directory = `directory ${Math.floor(i / 20)}`;
    if (i % 20 === 0) mkdirSync(join(path, directory), { recursive: true });
    const name = join(directory, `file ${i}`);
    const size = randomBytes(`${seed} size ${i}`, 4).readUInt32BE() % sizeMax;
    writeFileSync(join(path, name), randomBytes(`${seed} ${i}`, size));
    names.push(name);
  }
  return names;
}
