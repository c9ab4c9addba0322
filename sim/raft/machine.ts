import { LayoutReader, LayoutWriter } from '../../src/core/format/byte-layout.ts';
import type { RaftEntry } from '../../src/core/protocol/raft/types.ts';

/** The state machine under test: it remembers how far it is, and a digest of all that it was told, in order. */
export class DigestMachine {
  index = 0;
  digest = 0x811c9dc5;

  apply({ index, term, payload }: RaftEntry): void {
    this.index = index;
    let digest = mixed(mixed(this.digest, index), term);
    for (const byte of payload) digest = mixed(digest, byte);
    this.digest = digest;
  }

  /** Of a length that changes with the index, so that snapshots come in different numbers of pieces. */
  encode(): Uint8Array {
    const padding = (this.index * 7) % 61;
    return new LayoutWriter(8 + padding)
      .uint32(this.index)
      .uint32(this.digest)
      .zeros(padding)
      .done();
  }

  static decode(bytes: Uint8Array): DigestMachine {
    const machine = new DigestMachine();
    if (bytes.length === 0) return machine;
    const reader = new LayoutReader(bytes, 'a state');
    machine.index = reader.uint32();
    machine.digest = reader.uint32();
    return machine;
  }
}

function mixed(digest: number, value: number): number {
  return Math.imul(digest ^ value, 0x01000193) >>> 0;
}
