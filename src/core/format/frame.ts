/** What a frame is bound to: a frame moved to another place, pack, dataset or type does not open. */
export type FrameContext = {
  readonly type: PackType;
  /** 16 bytes. */
  readonly dataset: Uint8Array;
  /** 16 random bytes of the pack. */
  readonly salt: Uint8Array;
  /** Position in the pack; footerIndex for the footer. */
  readonly index: bigint;
};

export type PackType = 'data' | 'metadata';

export const footerIndex = 0xffff_ffff_ffff_ffffn;
