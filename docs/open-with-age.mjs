#!/usr/bin/env node
// Opens a snapshot with stock age and the text of proto/README.md alone: nothing of Holdfast is imported. Needs
// Node.js 22.15 or newer (AES-GCM and zstd are part of it) and age; 1.3 or newer for hybrid keys.
//
//   node open-with-age.mjs IDENTITY OUT DIR..            (DATASET=4c1d... node open-with-age.mjs ...)
//
// IDENTITY is an age identity file, or the recovery kit, whose line AGE-SECRET-KEY... may be broken in two. DIR are copies of
// members' state directories, from as many sites as hold any k shards of each pack. OUT is a new directory for the files. DATASET, the
// beginning of an id, chooses among several; of each the newest snapshot is opened.
import { execFileSync } from 'node:child_process';
import { createDecipheriv } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

const [given, out, ...directories] = process.argv.slice(2);
if (directories.length === 0) {
  console.error('usage: node open-with-age.mjs IDENTITY OUT DIR..');
  process.exit(2);
}
const secrets = mkdtempSync(join(tmpdir(), 'open-with-age-'));
process.on('exit', () => rmSync(secrets, { recursive: true, force: true }));

// Age wants each identity on one line, and nothing but comments beside it.
const identityFile = join(secrets, 'identity');
const identities = readFileSync(given, 'utf8').match(/AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]+(?:\r?\n[ \t]+[0-9A-Z]+$)?/gm) ?? [];
writeFileSync(identityFile, identities.map((text) => text.replace(/\s/g, '')).join('\n'), { mode: 0o600 });

// Age 1.1 and 1.2 read no hybrid keys, and would only say that they cannot.
const isHybrid = /^AGE-SECRET-KEY-PQ-/m.test(readFileSync(identityFile, 'utf8'));
const version = execFileSync('age', ['--version'], { encoding: 'utf8' }).trim();
if (/^v?1\.[012]\./.test(version)) {
  const what = isHybrid ? 'this identity is hybrid' : 'key epochs are hybrid, unless they were made otherwise';
  console.error(`age ${version} reads no hybrid keys (${what}): age 1.3 or newer does`);
  if (isHybrid) process.exit(12);
}

const age = (identity, file) =>
  execFileSync('age', ['--decrypt', '--identity', identity], {
    input: file,
    stdio: ['pipe', 'pipe', 'pipe'],
  });

// Protocol buffers: number -> list of values; numbers as BigInt, everything else as bytes.
function message(bytes) {
  const fields = new Map();
  for (let at = 0; at < bytes.length; ) {
    const [tag, afterTag] = varint(bytes, at);
    const [value, next] = varint(bytes, afterTag);
    const isBytes = (tag & 7n) === 2n;
    const end = isBytes ? next + Number(value) : next;
    if (end > bytes.length || ((tag & 7n) !== 0n && !isBytes)) throw new Error('no message');
    const number = Number(tag >> 3n);
    const list = fields.get(number) ?? [];
    fields.set(number, [...list, isBytes ? bytes.subarray(next, end) : value]);
    at = end;
  }
  return {
    all: (number) => fields.get(number) ?? [],
    bytes: (number) => fields.get(number)?.[0] ?? Buffer.alloc(0),
    number: (number) => Number(fields.get(number)?.[0] ?? 0n),
  };
}

function varint(bytes, at) {
  let value = 0n;
  for (let shift = 0n; at < bytes.length; shift += 7n) {
    const byte = bytes[at++];
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at];
  }
  throw new Error('no message');
}

// What the directories hold: shards by pack, key records, manifests.
const packs = new Map();
const records = [];
const manifests = [];
for (const directory of directories) {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = readFileSync(join(entry.parentPath, entry.name));
    if (bytes.subarray(0, 4).toString('latin1') === 'HFSH') takeShard(bytes);
    else if (bytes[0] === 4 && bytes[1] === 1 && /^[0-9a-f]{64}$/.test(entry.name)) takeRecord(bytes);
    else takeManifests(bytes);
  }
}

// "Shard file"
function takeShard(file) {
  const size = file.readUInt32BE(8);
  const head = message(file.subarray(12, 12 + size));
  const id = head.bytes(1).toString('hex');
  const pack = packs.get(id) ?? { k: head.number(2), size: head.number(4), shards: new Map() };
  pack.shards.set(head.number(6), file.subarray(Math.ceil((12 + size) / 4096) * 4096));
  packs.set(id, pack);
}

// "Keys"
function takeRecord(bytes) {
  const epoch = bytes.readUInt32BE(50);
  const files = [];
  let at = 60 + 32 * bytes[58];
  for (let i = 0; i < bytes[59]; i++) {
    const size = bytes.readUInt32BE(at);
    files.push(bytes.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  const dataset = bytes.subarray(34, 50).toString('hex');
  records.push({ dataset, epoch, files });
}

// An Envelope begins with its type; its payload is a Statement, whose field 14 is a Manifest.
function takeManifests(bytes) {
  const start = Buffer.from('\n\tstatement\x12\x20', 'latin1');
  for (let at = bytes.indexOf(start); at !== -1; at = bytes.indexOf(start, at + 1)) {
    try {
      let next = at + start.length + 32;
      if (bytes[next] === 0x18) next = varint(bytes, next + 1)[1];
      const [size, from] = varint(bytes, next + 1);
      const body = message(bytes.subarray(from, from + Number(size))).bytes(14);
      if (body.length > 0) manifests.push(message(body));
    } catch {
      // Bytes that only look like one.
    }
  }
}

const isWanted = (one) => one.bytes(1).toString('hex').startsWith(process.env.DATASET ?? '');
const wanted = manifests.filter(isWanted).sort((a, b) => a.number(3) - b.number(3));
const manifest = wanted.at(-1);
if (manifest === undefined) throw new Error('no manifest in these directories');
const dataset = manifest.bytes(1).toString('hex');
const all = new Set(manifests.map((one) => one.bytes(1).toString('hex')));
if (all.size > 1) console.error(`datasets here: ${[...all].join(' ')}; this is the newest snapshot of ${dataset}`);

// The identities of the dataset's epochs, each in a file of its own, as age wants it.
const epochs = records
  .filter((record) => record.dataset === dataset)
  .map(({ epoch, files }) => {
    for (const file of files) {
      try {
        const path = join(secrets, `epoch-${epoch}`);
        writeFileSync(path, age(identityFile, file), { mode: 0o600 });
        return path;
      } catch {
        // Sealed to somebody else.
      }
    }
    return undefined;
  })
  .filter((path) => path !== undefined);
if (epochs.length === 0) throw new Error('this identity opens no key record of the dataset');

// "Shards": GF(2^8), polynomial 0x11d.
const exp = new Uint8Array(512);
const log = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  exp[i] = exp[i + 255] = x;
  log[x] = i;
  x = x < 128 ? x << 1 : (x << 1) ^ 0x11d;
}
const times = (a, b) => (a && b ? exp[log[a] + log[b]] : 0);
const over = (a, b) => (a ? exp[log[a] + 255 - log[b]] : 0);

// Which data shards go into a shard, each times what.
function rowOf(index, k) {
  if (index < k) return Array.from({ length: k }, (_, j) => (j === index ? 1 : 0));
  const column = (row, j) => over(over(1, row ^ j), over(1, k ^ j));
  return Array.from({ length: k }, (_, j) => over(column(index, j), column(index, 0)));
}

// The data shards, joined, are the pack. Those that are missing are solved for, out of any k others.
function dataShards({ k, shards }) {
  if (k === 1) return [shards.values().next().value];
  const data = Array.from({ length: k }, (_, i) => shards.get(i));
  if (!data.includes(undefined)) return data;
  const from = [...shards.keys()].sort((a, b) => a - b).slice(0, k);
  const size = Math.min(...from.map((index) => shards.get(index).length));
  const inverse = inverted(from.map((index) => rowOf(index, k)));
  return data.map((shard, i) => {
    if (shard !== undefined) return shard;
    const made = Buffer.alloc(size);
    for (const [j, index] of from.entries()) {
      const product = Uint8Array.from({ length: 256 }, (_, byte) => times(byte, inverse[i][j]));
      const other = shards.get(index);
      for (let at = 0; at < size; at++) made[at] ^= product[other[at]];
    }
    return made;
  });
}

// Gauss and Jordan: subtracting is adding here.
function inverted(matrix) {
  const k = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...rowOf(i, k)]);
  for (let c = 0; c < k; c++) {
    const pivot = rows.findIndex((row, i) => i >= c && row[c] !== 0);
    [rows[c], rows[pivot]] = [rows[pivot], rows[c]];
    const first = rows[c][c];
    rows[c] = rows[c].map((value) => over(value, first));
    for (let r = 0; r < k; r++) {
      const factor = rows[r][c];
      if (r !== c && factor !== 0) rows[r] = rows[r].map((value, j) => value ^ times(factor, rows[c][j]));
    }
  }
  return rows.map((row) => row.slice(k));
}

// "Pack" and "Frame"
function openPack(id) {
  const { k, size, shards, opened } = packs.get(id) ?? {};
  if (opened !== undefined) return opened;
  if (k === undefined || shards.size < k) throw new Error(`pack ${id}: shards are missing`);
  const bytes = Buffer.concat(dataShards(packs.get(id))).subarray(0, size);
  const keySize = bytes.readUInt16BE(40);
  const bound = Buffer.concat([Buffer.from('holdfast-frame-1'), bytes.subarray(5, 6), bytes.subarray(8, 40)]);
  const pack = { bytes, bound, key: openKey(bytes.subarray(42, 42 + keySize)), frames: new Map() };
  packs.get(id).opened = pack;
  const footerSize = bytes.readUInt32BE(size - 8);
  readFooter(id, 42 + keySize, frame(pack, 2n ** 64n - 1n, size - 8 - footerSize, footerSize));
  return pack;
}

function openKey(sealed) {
  for (const epoch of epochs) {
    try {
      return age(epoch, sealed);
    } catch {
      // Of another epoch.
    }
  }
  throw new Error('no epoch opens this pack');
}

function frame({ bytes, bound, key }, index, offset, size) {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(index);
  const nonce = Buffer.concat([Buffer.alloc(4), number]);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAAD(Buffer.concat([bound, number]));
  decipher.setAuthTag(bytes.subarray(offset + size - 16, offset + size));
  const plain = Buffer.concat([decipher.update(bytes.subarray(offset, offset + size - 16)), decipher.final()]);
  return plain[0] === 1 ? zstdDecompressSync(plain.subarray(1)) : plain.subarray(1);
}

const chunks = new Map();
function readFooter(pack, start, footer) {
  let at = 4;
  let offset = start;
  for (let index = 0; index < footer.readUInt32BE(0); index++) {
    const size = footer.readUInt32BE(at);
    let from = 0;
    const count = footer.readUInt32BE(at + 4);
    at += 8;
    for (let i = 0; i < count; i++, at += 36) {
      const length = footer.readUInt32BE(at + 32);
      const id = footer.subarray(at, at + 32).toString('hex');
      chunks.set(id, { pack, index, offset, size, from, length });
      from += length;
    }
    offset += size;
  }
}

function chunk(id) {
  const place = chunks.get(id.toString('hex'));
  if (place === undefined) throw new Error('a chunk is missing');
  const pack = openPack(place.pack);
  if (!pack.frames.has(place.index)) {
    pack.frames.clear();
    pack.frames.set(place.index, frame(pack, BigInt(place.index), place.offset, place.size));
  }
  return pack.frames.get(place.index).subarray(place.from, place.from + place.length);
}

// Footers say where chunks lie, as the index segments do; nothing more is needed than the packs themselves.
for (const id of packs.keys()) {
  try {
    openPack(id);
  } catch {
    // Of another dataset, or not whole here; if it is needed, its chunks will be missing.
  }
}

// "Tree": messages, each preceded by its length.
function* entries(ids) {
  const stream = Buffer.concat(ids.map(chunk));
  for (let at = 0; at < stream.length; ) {
    const [size, from] = varint(stream, at);
    at = from + Number(size);
    yield message(stream.subarray(from, at));
  }
}

function restore(ids, path) {
  mkdirSync(path, { recursive: true });
  for (const entry of entries(ids)) {
    const target = join(path, entry.bytes(1).toString());
    const type = entry.number(2) & 0o170000;
    if (type === 0o040000) restore(entry.all(12), target);
    else if (type === 0o120000) symlinkSync(entry.bytes(13), target);
    else if (type === 0o100000) writeFileSync(target, content(entry), { mode: entry.number(2) & 0o777 });
  }
}

function content(entry) {
  const listed = entry.all(11);
  const extents = listed.length > 0 ? [...entries(listed)] : entry.all(10).map(message);
  return Buffer.concat(
    extents.map((extent) => {
      const id = extent.bytes(1);
      return id.length === 0 ? Buffer.alloc(extent.number(2)) : chunk(id);
    }),
  );
}

const root = message(manifest.bytes(8));
const pack = openPack(root.bytes(1).toString('hex'));
const opened = frame(pack, BigInt(root.number(2)), root.number(3), root.number(4));
const rootBytes = opened.subarray(root.number(5), root.number(5) + root.number(6));
restore(message(rootBytes).all(1), out);
console.log(`snapshot ${manifest.number(3)} of dataset ${dataset} is in ${out}`);
