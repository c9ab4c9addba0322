import { plainSimd, relaxedSimd } from '../gen/kernels.ts';

/** Compiled loops and the memory that they work on; see kernels.as for what they do. */
export type Kernel = {
  readonly findCut: (
    from: number,
    to: number,
    mask: number,
    tables: number,
    k0: number,
    k1: number,
  ) => number;
  readonly combine: (
    tables: number,
    sources: number,
    targets: number,
    columns: number,
    rows: number,
    size: number,
    stride: number,
  ) => void;
  /** 1 MiB; callers use it as they like between two calls, and leave nothing secret in it but cut keys. */
  readonly memory: Uint8Array;
};

export type KernelKind = 'relaxed-simd' | 'simd';

const codes: Readonly<Record<KernelKind, string>> = {
  'relaxed-simd': relaxedSimd,
  simd: plainSimd,
};

// Neither the language's own library nor Node's types declare it.
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
  ) => {
    exports: Pick<Kernel, 'findCut' | 'combine'> & { memory: { buffer: ArrayBuffer } };
  };
};

/** A kernel of its own, or undefined where the engine does not know the instructions. */
export function loadKernel(kind: KernelKind): Kernel | undefined {
  const bytes = new Uint8Array(Buffer.from(codes[kind], 'base64'));
  if (!WebAssembly.validate(bytes)) return undefined;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const { findCut, combine, memory } = exports;
  return { findCut, combine, memory: new Uint8Array(memory.buffer) };
}

let shared: Kernel | 'none' | undefined;

/** The fastest kernel of this thread, loaded once; undefined where there is none and plain code does the work. */
export function kernel(): Kernel | undefined {
  shared ??= loadKernel('relaxed-simd') ?? loadKernel('simd') ?? 'none';
  return shared === 'none' ? undefined : shared;
}
