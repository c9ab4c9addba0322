import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { KiB, MiB } from '../../src/base/units.ts';
import { FileEdits, TreeEdits } from './corpus-edits.ts';
import { filesBelow, keystream } from './corpus-files.ts';

/** A deterministic tree and a large file, and the edits that a day brings them. */
export type Corpus = {
  readonly tree: string;
  readonly file: string;
  readonly treeFiles: number;
  readonly treeBytes: number;
  readonly fileBytes: number;
  /** Some file in the middle of the tree. */
  readonly sample: string;
  readonly treeEdits: TreeEdits;
  readonly fileEdits: FileEdits;
};

const segmentSize = 8 * MiB;
const segmentsMax = 256;
/** 2026-01-01: all files look settled. */
const epochS = 1_767_225_600;
const lockFolder = join(import.meta.dirname, 'corpus');

/** The corpus at this scale, built when it is not there. Packages come by npm from the registry that npm is set to. */
export function openCorpus(directory: string, scale: number): Corpus {
  const packages = installPackages(join(directory, 'packages'));
  const root = join(directory, `scale-${scale}`);
  const tree = join(root, 'tree');
  const file = join(root, 'file', 'big.bin');
  if (!fs.existsSync(join(root, 'complete'))) {
    fs.rmSync(root, { recursive: true, force: true });
    copyTree(packages, tree, scale);
    writeFile(file, tree, Math.max(4, Math.round(segmentsMax * scale)));
    fs.writeFileSync(join(root, 'complete'), '');
  }
  const treeEdits = new TreeEdits(tree, join(root, 'saved-tree'), epochS);
  const fileEdits = new FileEdits(file, join(root, 'saved-file'));
  // What a run that was killed has left edited.
  treeEdits.revert();
  fileEdits.revert();
  const files = filesBelow(tree);
  return {
    tree,
    file,
    treeFiles: files.length,
    treeBytes: files.reduce((sum, path) => sum + fs.lstatSync(path).size, 0),
    fileBytes: fs.statSync(file).size,
    sample: files[files.length >> 1] as string,
    treeEdits,
    fileEdits,
  };
}

function installPackages(directory: string): string {
  const installed = join(directory, 'node_modules');
  const done = join(directory, 'complete');
  if (fs.existsSync(done)) return installed;
  fs.mkdirSync(directory, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) {
    fs.copyFileSync(join(lockFolder, name), join(directory, name));
  }
  const quiet = ['--no-audit', '--no-fund', '--no-save', '--loglevel=error'];
  execFileSync('npm', ['install', '--ignore-scripts', '--legacy-peer-deps', ...quiet], {
    cwd: directory,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  fs.writeFileSync(done, '');
  return installed;
}

/** Every file whose name falls into the share; the same ones each time. */
function copyTree(from: string, to: string, scale: number): void {
  const isTaken = (path: string): boolean =>
    scale >= 1 || createHash('sha256').update(path).digest().readUInt32LE() < scale * 2 ** 32;
  const walk = (relative: string): void => {
    const entries = fs.readdirSync(join(from, relative), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(relative, entry.name);
      if (entry.isDirectory()) {
        fs.mkdirSync(join(to, path), { recursive: true });
        walk(path);
        fs.utimesSync(join(to, path), epochS, epochS);
      } else if (entry.isFile() && isTaken(path)) {
        fs.copyFileSync(join(from, path), join(to, path));
        fs.chmodSync(join(to, path), 0o644);
        fs.utimesSync(join(to, path), epochS, epochS);
      }
    }
  };
  fs.mkdirSync(to, { recursive: true });
  walk('');
  fs.utimesSync(to, epochS, epochS);
}

/** Segments of 8 MiB: even ones cannot be compressed, odd ones are text and code of the tree. */
function writeFile(file: string, tree: string, segments: number): void {
  fs.mkdirSync(join(file, '..'), { recursive: true });
  const take = reader(filesBelow(tree));
  const out = fs.openSync(file, 'w');
  for (let i = 0; i < segments; i++) {
    fs.writeSync(out, i % 2 === 1 ? take(segmentSize) : keystream(`segment ${i}`, segmentSize));
  }
  fs.closeSync(out);
  fs.utimesSync(file, epochS, epochS);
}

/** Content of the files one after another, from the first again after the last. */
function reader(files: readonly string[]): (size: number) => Buffer {
  let at = 0;
  let current: Buffer = Buffer.alloc(0);
  return (size) => {
    const out = Buffer.alloc(size);
    for (let done = 0; done < size; ) {
      if (current.length === 0) current = fs.readFileSync(files[at++ % files.length] as string);
      const count = current.copy(out, done, 0, size - done);
      current = current.subarray(count);
      done += count;
    }
    return out;
  };
}

/** Reads everything once, so that no measurement waits for the source's disk. */
export function warm(paths: readonly string[]): void {
  const buffer = Buffer.alloc(256 * KiB);
  for (const path of paths) {
    const files = fs.statSync(path).isDirectory() ? filesBelow(path) : [path];
    for (const file of files) {
      const fd = fs.openSync(file, 'r');
      while (fs.readSync(fd, buffer) > 0);
      fs.closeSync(fd);
    }
  }
}
