/** How hard content is compressed; what cannot be compressed is stored as it is under each of them. */
export const compressionModes = ['off', 'fast', 'default', 'max'] as const;

export type CompressionMode = (typeof compressionModes)[number];

/** Levels of zstd. Above 15 a frame of half a megabyte takes seconds for one per cent less. */
const levels: Readonly<Record<CompressionMode, number>> = { off: 0, fast: 1, default: 3, max: 15 };

/** The level that a mode stands for; `otherwise` where none was chosen. */
export function compressionLevel(mode: CompressionMode | undefined, otherwise: number): number {
  return mode === undefined ? otherwise : levels[mode];
}
