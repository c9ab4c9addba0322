import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** Where a secret was found in a process: its name, and the region. */
export type Sighting = { readonly name: string; readonly region: string };

const windowSize = 16 * 1024 * 1024;

/**
 * Looks through everything that a process can write to and that is in memory, on Linux. A secret counts as
 * there when its last 16 bytes are: what was freed loses its first ones to the allocator.
 */
export function findInMemory(
  pid: number,
  secrets: ReadonlyMap<string, Uint8Array>,
): { readonly sightings: readonly Sighting[]; readonly bytes: number } {
  const search = new Search(secrets);
  const sightings: Sighting[] = [];
  let bytes = 0;
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const pages = openSync(`/proc/${pid}/pagemap`, 'r');
  try {
    for (const { start, end, name } of regionsOf(pid)) {
      for (const run of residentRuns(pages, start, end)) {
        const window = Buffer.alloc(run.size);
        const size = readSome(memory, window, run.at);
        bytes += size;
        for (const found of search.in(window.subarray(0, size))) {
          sightings.push({ name: found, region: name });
        }
      }
    }
  } finally {
    closeSync(pages);
    closeSync(memory);
  }
  return { sightings, bytes };
}

const pageSize = 4096;

/** Runs of pages that are in memory or swapped out; what was never touched is not read. proc_pid_pagemap(5). */
function* residentRuns(
  pages: number,
  start: number,
  end: number,
): Generator<{ at: number; size: number }> {
  const batch = windowSize / pageSize;
  for (let first = start / pageSize; first < end / pageSize; first += batch) {
    const entries = Buffer.alloc(8 * Math.min(batch, end / pageSize - first));
    readSync(pages, entries, 0, entries.length, first * 8);
    let from = -1;
    for (let i = 0; i <= entries.length / 8; i++) {
      const isThere = i < entries.length / 8 && ((entries[8 * i + 7] as number) & 0xc0) !== 0;
      if (isThere && from === -1) from = i;
      if (isThere || from === -1) continue;
      yield { at: (first + from) * pageSize, size: (i - from) * pageSize };
      from = -1;
    }
  }
}

function readSome(file: number, into: Buffer, at: number): number {
  try {
    return readSync(file, into, 0, into.length, at);
  } catch {
    // Guard pages, and regions that went away meanwhile.
    return 0;
  }
}

function regionsOf(pid: number): { start: number; end: number; name: string }[] {
  const regions: { start: number; end: number; name: string }[] = [];
  const text = readFileSync(`/proc/${pid}/smaps`, 'utf8');
  let current: { start: number; end: number; name: string } | undefined;
  for (const line of text.split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)$/.exec(line);
    if (head !== null) {
      const [, start = '', end = '', mode = '', name = ''] = head;
      const isWritten = mode.startsWith('rw') && !name.startsWith('[v');
      current = isWritten
        ? {
            start: Number.parseInt(start, 16),
            end: Number.parseInt(end, 16),
            name: name || 'anonymous',
          }
        : undefined;
    } else if (current !== undefined && /^Rss:\s+[1-9]/.test(line)) {
      regions.push(current);
      current = undefined;
    }
  }
  return regions;
}

/** One pass over the bytes for all secrets: aligned words are looked up, whatever the alignment of a secret. */
class Search {
  readonly #words = new Map<number, { name: string; tail: Buffer; shift: number }[]>();
  readonly #isLikely = new Uint8Array(65_536);

  constructor(secrets: ReadonlyMap<string, Uint8Array>) {
    for (const [name, secret] of secrets) {
      const tail = Buffer.from(secret.slice(-16));
      for (let shift = 0; shift < 4; shift++) {
        const word = tail.readUInt32LE(shift);
        this.#words.set(word, [...(this.#words.get(word) ?? []), { name, tail, shift }]);
        this.#isLikely[word & 0xffff] = 1;
      }
    }
  }

  *in(bytes: Buffer): Generator<string> {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    for (let i = 0; i < words.length; i++) {
      const word = words[i] as number;
      if (this.#isLikely[word & 0xffff] === 0) continue;
      for (const { name, tail, shift } of this.#words.get(word) ?? []) {
        const at = 4 * i - shift;
        if (at >= 0 && bytes.subarray(at, at + tail.length).equals(tail)) yield name;
      }
    }
  }
}
