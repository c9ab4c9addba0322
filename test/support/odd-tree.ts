import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { DirectoryHandle } from '../../src/adapters/fs/directory-handle.ts';
import { makeNode, setTimes, setXattr } from '../../src/adapters/fs/native.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { MiB } from '../../src/base/units.ts';
import { aclBytes } from './posix-acl.ts';

/**
 * Fills an existing directory with one of everything that a backup may lose: odd names, modes, owners, times, holes,
 * links, attributes, special files, depth. @returns what this user or file system would not let it make.
 */
export function makeOddTree(path: string): string[] {
  const refused: string[] = [];
  const at = (name: string): Buffer => Buffer.from(`${path}/${name}`, 'latin1');
  const attempt = (what: string, make: () => void): void => {
    try {
      make();
    } catch (error) {
      refused.push(`${what}: ${String(error)}`);
    }
  };
  writeNames(at);
  writeModes(at, attempt);
  writeLinks(at);
  writeSparse(at('sparse'));
  writeAttributes(at, attempt);
  attempt('fifo', () => makeNode(at('fifo'), 0o010640, 0n));
  attempt('socket', () => makeNode(at('socket'), 0o140600, 0n));
  attempt('device', () => makeNode(at('device'), 0o020600, 0x103n));
  writeDepth(path);
  for (const [name, ns] of [
    ['fifo', 1_795_326_479_703_025_523n],
    ['dangling', -1_500_000_001n],
    ['empty', 1n],
    ['empty directory', 4_102_444_800_999_999_999n],
  ] as const) {
    attempt(`time of ${name}`, () => setTimes(at(name), ns));
  }
  return refused;
}

type At = (name: string) => Buffer;
type Attempt = (what: string, make: () => void) => void;

function writeNames(at: At): void {
  for (const name of ['\xff\xfe not UTF-8', 'new\nline', '-rf', ' ', '\\', 'x'.repeat(255)]) {
    writeFileSync(at(name), `named ${name}`);
  }
  writeFileSync(at('empty'), '');
  mkdirSync(at('empty directory'));
  mkdirSync(at('\xe9 directory'));
  writeFileSync(at('\xe9 directory/inside'), 'x'.repeat(300_000));
}

function writeModes(at: At, attempt: Attempt): void {
  mkdirSync(at('modes'));
  for (const mode of [0o0, 0o400, 0o644, 0o777, 0o4755, 0o2755, 0o6711, 0o1644]) {
    const name = `modes/${mode.toString(8)}`;
    writeFileSync(at(name), name);
    attempt('owner', () => lchownSync(at(name), 1000 + mode, 2000 + mode));
    chmodSync(at(name), mode);
  }
  for (const mode of [0o1777, 0o2775, 0o555]) {
    mkdirSync(at(`modes/d${mode}`));
    writeFileSync(at(`modes/d${mode}/file`), '');
    chmodSync(at(`modes/d${mode}`), mode);
  }
}

function writeLinks(at: At): void {
  symlinkSync('nowhere at all', at('dangling'));
  symlinkSync(Buffer.from([0xff, 0x0a, 0x2f, 0x2e]), at('odd link'));
  symlinkSync('empty directory', at('directory link'));
  linkSync(at('dangling'), at('dangling too'));
  mkdirSync(at('links'));
  writeFileSync(at('links/first'), 'one file');
  linkSync(at('links/first'), at('links/second'));
  linkSync(at('links/first'), at('third of links'));
}

function writeSparse(path: Buffer): void {
  const fd = openSync(path, 'w');
  for (const offset of [0, 3 * MiB, 7 * MiB + 12345]) {
    const bytes = new Uint8Array(50_000).map((_, i) => (i * 31 + offset) % 251);
    writeSync(fd, bytes, 0, bytes.length, offset);
  }
  ftruncateSync(fd, 20 * MiB);
  closeSync(fd);
}

function writeAttributes(at: At, attempt: Attempt): void {
  const acl = aclBytes([
    { tag: 'owner', permissions: 6 },
    { tag: 'user', permissions: 7, id: 1234 },
    { tag: 'ownerGroup', permissions: 5 },
    { tag: 'group', permissions: 4, id: 77 },
    { tag: 'mask', permissions: 4 },
    { tag: 'other', permissions: 0 },
  ]);
  writeFileSync(at('attributes'), 'has attributes');
  mkdirSync(at('attributes directory'));
  attempt('user attributes', () => {
    setXattr(at('attributes'), utf8('user.one'), utf8('value'));
    setXattr(at('attributes'), utf8('user.\u00e9'), new Uint8Array());
    setXattr(at('attributes directory'), utf8('user.large'), new Uint8Array(2000).fill(9));
  });
  attempt('trusted attributes', () => {
    setXattr(at('attributes'), utf8('trusted.t'), utf8('secret'));
    setXattr(at('dangling'), utf8('trusted.of.link'), utf8('x'));
  });
  attempt('access control lists', () => {
    setXattr(at('attributes'), utf8('system.posix_acl_access'), acl);
    setXattr(at('attributes directory'), utf8('system.posix_acl_default'), acl);
    writeFileSync(at('attributes directory/inherits'), '');
    mkdirSync(at('attributes directory/inherits too'));
  });
}

/** Deeper than a path can be long. */
function writeDepth(path: string): void {
  const name = Buffer.alloc(200, 'd');
  let handle = DirectoryHandle.open(Buffer.from(path), { followLast: true });
  for (let depth = 0; depth < 40; depth++) {
    mkdirSync(handle.child(name));
    const below = handle.enter(name);
    handle.close();
    handle = below;
  }
  writeFileSync(handle.child(utf8('bottom')), 'deep');
  handle.close();
}
