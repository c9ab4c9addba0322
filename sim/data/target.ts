import { assert } from '../../src/base/assert.ts';
import { fromUtf8 } from '../../src/base/bytes.ts';
import type { TreeEntry } from '../../src/core/format/tree.ts';
import type {
  RestoreTarget,
  TargetDirectory,
  TargetFile,
  TargetProblem,
} from '../../src/ports/target.ts';
import { type Face, faceText } from './tree.ts';

/** A blank disk, on which a restore leaves what it has restored: what each path looks like. */
export class SimTarget implements RestoreTarget {
  readonly faces = new Map<string, Face>();
  readonly root: TargetDirectory = new SimTargetDirectory(this, '');

  async [Symbol.asyncDispose](): Promise<void> {}
}

class SimTargetDirectory implements TargetDirectory {
  readonly #target: SimTarget;
  readonly #path: string;

  constructor(target: SimTarget, path: string) {
    this.#target = target;
    this.#path = path;
  }

  async enter(entry: TreeEntry): Promise<TargetDirectory> {
    return new SimTargetDirectory(this.#target, this.#pathOf(entry));
  }

  check(entry: TreeEntry): 'write' {
    assert(!this.#target.faces.has(this.#pathOf(entry)), 'a restore writes each entry once');
    return 'write';
  }

  writeFile(entry: TreeEntry, content: Uint8Array): readonly TargetProblem[] {
    return this.#put(entry, content);
  }

  createFile(entry: TreeEntry): TargetFile {
    const content = new Uint8Array(entry.size);
    return {
      write: async (offset, bytes) => content.set(bytes, offset),
      finish: async () => this.#put(entry, content),
      abandon: async () => {},
    };
  }

  writeSpecial(entry: TreeEntry): readonly TargetProblem[] {
    return this.#put(entry, new Uint8Array(0));
  }

  writeLink(
    entry: TreeEntry,
    original: { directory: TargetDirectory; name: Uint8Array },
  ): readonly TargetProblem[] {
    assert(original.directory instanceof SimTargetDirectory, 'a directory of this target');
    const from = `${original.directory.#path}/${textOf(original.name)}`;
    const face = this.#target.faces.get(from);
    assert(face !== undefined, 'the original was restored before');
    this.#target.faces.set(this.#pathOf(entry), face);
    return [];
  }

  finish(entry: TreeEntry): readonly TargetProblem[] {
    const { mode, mtimeNs } = entry;
    const face = faceText({ mode, mtimeNs, content: new Uint8Array(0), target: undefined });
    this.#target.faces.set(this.#path, face);
    return [];
  }

  #put(entry: TreeEntry, content: Uint8Array): readonly TargetProblem[] {
    const { mode, mtimeNs, target } = entry;
    this.#target.faces.set(this.#pathOf(entry), faceText({ mode, mtimeNs, content, target }));
    return [];
  }

  #pathOf(entry: TreeEntry): string {
    return `${this.#path}/${textOf(entry.name)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function textOf(name: Uint8Array): string {
  return fromUtf8(name) ?? '';
}
