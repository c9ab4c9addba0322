import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { KiB, MiB } from '../../src/base/units.ts';
import { filesBelow, keystream } from './corpus-files.ts';

type Edit = { readonly kind: 'edited' | 'deleted' | 'new'; readonly path: string };

const changedShare = 0.015;
/** Edits of a file of 2 GiB, about 1 % of its bytes. */
const editsOfFile = 320;
const editSizeMin = 4 * KiB;
const editSizeMax = 192 * KiB;

/** The same numbers each time. */
function seededRandom(): () => number {
  let seed = 12_345;
  return () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
}

/** 1.5 % of the files: eight in ten edited, one deleted, one new. */
export class TreeEdits {
  readonly #tree: string;
  readonly #saved: string;
  readonly #epochS: number;

  constructor(tree: string, saved: string, epochS: number) {
    this.#tree = tree;
    this.#saved = saved;
    this.#epochS = epochS;
  }

  get #journal(): string {
    return join(this.#saved, 'edits.json');
  }

  /** @returns how many files it touched */
  apply(): number {
    fs.mkdirSync(this.#saved, { recursive: true });
    const random = seededRandom();
    const plan: Edit[] = filesBelow(this.#tree).flatMap((path): Edit[] => {
      if (random() >= changedShare) return [];
      const kind = random();
      return [{ kind: kind < 0.8 ? 'edited' : kind < 0.9 ? 'deleted' : 'new', path }];
    });
    // First the copies and the list of them: whatever ends this, the tree can be brought back.
    plan.forEach(({ path }, i) => {
      fs.copyFileSync(path, this.#copy(i));
    });
    fs.writeFileSync(this.#journal, JSON.stringify(plan));
    plan.forEach((edit, i) => {
      this.#edit(edit, i, random());
    });
    return plan.length;
  }

  #copy(i: number): string {
    return join(this.#saved, `copy-${i}`);
  }

  #edit({ kind, path }: Edit, i: number, where: number): void {
    const body = fs.readFileSync(path);
    if (kind === 'deleted') fs.unlinkSync(path);
    else if (kind === 'new') {
      const head = Buffer.from(`// copy ${i}\n`);
      fs.writeFileSync(`${path}.new`, Buffer.concat([head, keystream(`new ${i}`, 400), body]));
    } else {
      const at = Math.floor(where * (body.length + 1));
      const line = Buffer.from(`// edit ${i} ${keystream(`text ${i}`, 24).toString('hex')}\n`);
      fs.writeFileSync(path, Buffer.concat([body.subarray(0, at), line, body.subarray(at)]));
    }
  }

  /** No-op when nothing is edited. */
  revert(): void {
    if (!fs.existsSync(this.#journal)) return;
    const plan = JSON.parse(fs.readFileSync(this.#journal, 'utf8')) as Edit[];
    const directories = new Set<string>();
    plan.forEach(({ kind, path }, i) => {
      directories.add(dirname(path));
      if (kind === 'new') fs.rmSync(`${path}.new`, { force: true });
      else {
        fs.copyFileSync(this.#copy(i), path);
        fs.utimesSync(path, this.#epochS, this.#epochS);
      }
    });
    for (const directory of directories) fs.utimesSync(directory, this.#epochS, this.#epochS);
    fs.rmSync(this.#saved, { recursive: true });
  }
}

/** Overwritten, inserted and deleted bytes all over one file. */
export class FileEdits {
  readonly #file: string;
  readonly #saved: string;

  constructor(file: string, saved: string) {
    this.#file = file;
    this.#saved = saved;
  }

  apply(): number {
    const { size } = fs.statSync(this.#file);
    const count = Math.max(1, Math.round((editsOfFile * size) / (2048 * MiB)));
    const changed = `${this.#file}.changed`;
    const input = fs.openSync(this.#file, 'r');
    const output = fs.openSync(changed, 'w');
    const random = seededRandom();
    let position = 0;
    for (let i = 0; i < count; i++) {
      const at = Math.floor(((i + random()) * size) / count);
      const length = editSizeMin + Math.floor(random() * (editSizeMax - editSizeMin));
      position = copyRange(input, output, position, Math.max(position, at));
      if (i % 3 !== 2) fs.writeSync(output, keystream(`edit ${i}`, length));
      if (i % 3 !== 1) position = Math.min(size, position + length);
    }
    copyRange(input, output, position, size);
    fs.closeSync(input);
    fs.closeSync(output);
    fs.renameSync(this.#file, this.#saved);
    fs.renameSync(changed, this.#file);
    return count;
  }

  revert(): void {
    if (fs.existsSync(this.#saved)) fs.renameSync(this.#saved, this.#file);
    fs.rmSync(`${this.#file}.changed`, { force: true });
  }
}

/** @returns `end` */
function copyRange(input: number, output: number, start: number, end: number): number {
  const buffer = Buffer.alloc(8 * MiB);
  for (let at = start; at < end; ) {
    const count = fs.readSync(input, buffer, 0, Math.min(buffer.length, end - at), at);
    if (count === 0) break;
    fs.writeSync(output, buffer, 0, count);
    at += count;
  }
  return end;
}
