import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareTrees } from '../../../../src/adapters/fs/compare.ts';
import { makeNode, setTimes, setXattr } from '../../../../src/adapters/fs/native.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { MiB } from '../../../../src/base/units.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const mtimeNs = 1_795_326_479_703_025_523n;

function makeTree(path: string): void {
  mkdirSync(join(path, 'd/inner'), { recursive: true });
  writeFileSync(join(path, 'd/file'), 'content');
  writeFileSync(join(path, 'd/\u00e9'), 'other');
  writeFileSync(join(path, 'd/linked'), 'linked');
  linkSync(join(path, 'd/linked'), join(path, 'd/linked too'));
  linkSync(join(path, 'd/linked'), join(path, 'd/linked thrice'));
  symlinkSync('file', join(path, 'd/link'));
  makeNode(Buffer.from(join(path, 'd/fifo')), 0o010600, 0n);
  const fd = openSync(join(path, 'd/sparse'), 'w');
  writeSync(fd, 'start');
  ftruncateSync(fd, 4 * MiB);
  closeSync(fd);
}

/** A change of the second tree would show in its directories' times too. */
function settle(path: string): void {
  const found = execFileSync('find', [path, '-depth', '-print0'], { encoding: 'buffer' });
  for (const name of found.toString('latin1').split('\0').filter(Boolean)) {
    setTimes(Buffer.from(name, 'latin1'), mtimeNs);
  }
}

type Change = (path: string) => void;

const changes: readonly (readonly [what: string, change: Change, found: readonly string[]])[] = [
  ['nothing', () => {}, []],
  ['a mode', (b) => chmodSync(join(b, 'd/file'), 0o600), ['./d/file: mode 100644 became 100600']],
  [
    'a mode of a directory',
    (b) => chmodSync(join(b, 'd'), 0o700),
    ['./d: mode 40755 became 40700'],
  ],
  ['a mode of the root', (b) => chmodSync(b, 0o700), ['.: mode 40755 became 40700']],
  [
    'content of the same size',
    (b) => writeFileSync(join(b, 'd/file'), 'CONTENT'),
    ['./d/file: content differs after byte 0'],
  ],
  ['a size', (b) => truncateSync(join(b, 'd/file'), 3), ['./d/file: size 7 became 3']],
  ['a missing entry', (b) => unlinkSync(join(b, 'd/\u00e9')), ['./d/\u00e9: is only in the first']],
  [
    'an added entry',
    (b) => writeFileSync(join(b, 'd/inner/x'), ''),
    ['./d/inner/x: is only in the second'],
  ],
  [
    'a link target',
    (b) => {
      unlinkSync(join(b, 'd/link'));
      symlinkSync('elsewhere', join(b, 'd/link'));
    },
    ['./d/link: link to file became elsewhere'],
  ],
  [
    'a kind',
    (b) => {
      rmSync(join(b, 'd/inner'), { recursive: true });
      symlinkSync('.', join(b, 'd/inner'));
    },
    ['./d/inner: kind directory became symlink'],
  ],
  [
    'a hard link that became a copy',
    (b) => {
      unlinkSync(join(b, 'd/linked too'));
      writeFileSync(join(b, 'd/linked too'), 'linked');
    },
    ['./d/linked too: is no longer a hard link to the same file'],
  ],
  [
    'filled holes',
    (b) =>
      writeFileSync(join(b, 'd/sparse'), Buffer.concat([utf8('start'), Buffer.alloc(4 * MiB - 5)])),
    ['./d/sparse: holes were filled'],
  ],
];

test.each(changes)('finds what was changed, and only that: %s', async (_, change, expected) => {
  await using scratch = scratchDirectory();
  const [a, b] = [join(scratch.path, 'a'), join(scratch.path, 'b')] as const;
  for (const path of [a, b]) {
    mkdirSync(path);
    makeTree(path);
  }
  change(b);
  for (const path of [a, b]) settle(path);
  const differences = await compareTrees(a, b);
  expect(differences).toHaveLength(expected.length);
  for (const [i, text] of expected.entries()) expect(differences[i]).toContain(text);
});

test('finds a time that is one nanosecond off', async () => {
  await using scratch = scratchDirectory();
  const [a, b] = [join(scratch.path, 'a'), join(scratch.path, 'b')] as const;
  for (const path of [a, b]) {
    mkdirSync(path);
    symlinkSync('nowhere', join(path, 'link'));
    settle(path);
  }
  setTimes(Buffer.from(join(b, 'link')), mtimeNs + 1n);
  expect(await compareTrees(a, b)).toEqual([
    `./link: mtime ${mtimeNs} ns became ${mtimeNs + 1n} ns`,
  ]);
});

test('finds two files that became hard links of one', async () => {
  await using scratch = scratchDirectory();
  const [a, b] = [join(scratch.path, 'a'), join(scratch.path, 'b')] as const;
  for (const path of [a, b]) {
    mkdirSync(path);
    writeFileSync(join(path, 'one'), 'same');
  }
  writeFileSync(join(a, 'two'), 'same');
  linkSync(join(b, 'one'), join(b, 'two'));
  for (const path of [a, b]) settle(path);
  expect(await compareTrees(a, b)).toEqual(['./two: became a hard link to another file']);
});

test('finds owners and attributes', async (context) => {
  if (process.geteuid?.() !== 0) context.skip('needs root');
  await using scratch = scratchDirectory();
  const [a, b] = [join(scratch.path, 'a'), join(scratch.path, 'b')] as const;
  for (const path of [a, b]) {
    mkdirSync(path);
    writeFileSync(join(path, 'f'), '');
    setXattr(Buffer.from(join(path, 'f')), utf8('user.differs'), utf8(path));
  }
  setXattr(Buffer.from(join(a, 'f')), utf8('user.gone'), utf8('x'));
  setXattr(Buffer.from(join(b, 'f')), utf8('user.new'), utf8('x'));
  lchownSync(join(b, 'f'), 5, 6);
  for (const path of [a, b]) settle(path);
  expect(await compareTrees(a, b)).toEqual([
    './f: user 0 became 5',
    './f: group 0 became 6',
    './f: extended attribute user.differs differs',
    './f: extended attribute user.gone is missing',
    './f: extended attribute user.new was added',
  ]);
});

test('names so many differences and counts the rest', async () => {
  await using scratch = scratchDirectory();
  const [a, b] = [join(scratch.path, 'a'), join(scratch.path, 'b')] as const;
  for (const path of [a, b]) mkdirSync(path);
  for (let i = 0; i < 510; i++) symlinkSync('x', join(a, `${i}`));
  for (const path of [a, b]) settle(path);
  const differences = await compareTrees(a, b);
  expect(differences).toHaveLength(501);
  expect(differences.at(-1)).toBe('and 10 more');
});
