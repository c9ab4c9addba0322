/** Magic number of a zstd frame, little-endian: RFC 8878, section 3.1.1. */
const magic = 0xfd2fb528;

/**
 * How many bytes the header of a zstd frame says will come out (RFC 8878, section 3.1.1.1). Only said, and by whoever
 * made it: good for choosing a buffer. @returns undefined when it does not say
 */
export function zstdContentSize(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // The longest header.
  if (bytes.length < 18 || view.getUint32(0, true) !== magic) return undefined;
  const descriptor = view.getUint8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionarySize = [0, 1, 2, 4][descriptor & 3] as number;
  const at = 5 + (isSingle ? 0 : 1) + dictionarySize;
  switch (descriptor >> 6) {
    case 0:
      return isSingle ? view.getUint8(at) : undefined;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}
