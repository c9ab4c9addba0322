/** How a generation of the control log began. */
export type GenerationStart = {
  readonly generation: number;
  /** The decree, as its operators signed it. */
  readonly envelope: Uint8Array;
  /** The control state that it was built on. */
  readonly base: Uint8Array;
};

/** Keeps how the newest generation began, for members that were away. */
export interface GenerationStore {
  /** Undefined in the first generation. @throws HoldfastError corrupt */
  read(): Promise<GenerationStart | undefined>;
  /** Durable when resolved; replaces the one before. */
  write(start: GenerationStart): Promise<void>;
}
