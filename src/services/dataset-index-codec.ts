import { concat, utf8 } from '../base/bytes.ts';
import { idBytes, idOf, type PackId } from '../core/ids.ts';
import type { KnownPack, KnownSegment } from './dataset-index.ts';

// Keys and values of the source's own index, which nobody else reads: see DatasetIndex.

export const bounds = {
  pack: 0x70,
  chunk: 0x63,
  catalog: 0x68,
  epoch: 0x65,
  fresh: 0x66,
  segment: 0x73,
  unsigned: 0x75,
  mostlyDead: 0x77,
} as const;

export function ordinalBytes(ordinal: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, ordinal);
  return bytes;
}

export function numberIn(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset, 4).getUint32(0);
}

export function ordinalOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset + 17, 4).getUint32(0);
}

/** What stands before the list of a pack's chunks. */
export function encodePack({ isIndexed, entry }: KnownPack): Uint8Array {
  const head = new Uint8Array(40);
  head[0] = isIndexed ? 1 : 0;
  head[1] = entry.k;
  head[2] = entry.m;
  head[3] = entry.type === 'metadata' ? 2 : 1;
  new DataView(head.buffer).setUint32(4, entry.size);
  head.set(idBytes(entry.pack), 8);
  return head;
}

export function decodePack(value: Uint8Array): Pick<KnownPack, 'isIndexed' | 'entry'> {
  return {
    isIndexed: value[0] === 1,
    entry: {
      k: value[1] as number,
      m: value[2] as number,
      type: value[3] === 2 ? 'metadata' : 'data',
      size: new DataView(value.buffer, value.byteOffset).getUint32(4),
      pack: idOf<PackId>(value.subarray(8, 40)),
    },
  };
}

export function encodeSegment(segment: KnownSegment): Uint8Array {
  const numbers = [
    segment.blob.frame,
    segment.blob.frameOffset,
    segment.blob.frameSize,
    segment.blob.offset,
    segment.blob.length,
    segment.count,
    ...segment.packs,
  ];
  return concat([utf8(segment.blob.pack), ...numbers.map(ordinalBytes)]);
}

export function decodeSegment(number: number, value: Uint8Array): KnownSegment {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const at = (i: number): number => view.getUint32(64 + 4 * i);
  const packs = Array.from({ length: (value.length - 64) / 4 - 6 }, (_, i) => at(6 + i));
  const pack = new TextDecoder().decode(value.subarray(0, 64)) as PackId;
  const blob = {
    pack,
    frame: at(0),
    frameOffset: at(1),
    frameSize: at(2),
    offset: at(3),
    length: at(4),
  };
  return { number, blob, count: at(5), packs };
}
