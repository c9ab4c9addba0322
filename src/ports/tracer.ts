import type { TraceId } from '../core/ids.ts';

/** What a span says beside its name. Never a secret, never the name of a file. */
export type SpanFacts = Readonly<Record<string, string | number | boolean>>;

export type SpanStart = {
  /** A constant: what was done, not to what. */
  readonly name: string;
  readonly trace: TraceId;
  /** Id of the span that this one is part of; undefined: of none that is known. */
  readonly parent?: string | undefined;
  readonly facts?: SpanFacts;
};

/** Work under way. */
export type Span = {
  /** 16 hexadecimal characters. */
  readonly id: string;
  /** Once. `problem`: why it came to nothing. */
  end(outcome?: { readonly facts?: SpanFacts; readonly problem?: string | undefined }): void;
};

/** Tells somebody who watches how long parts of a restore take. Nothing waits for it, and nothing rests on it. */
export interface Tracer {
  begin(start: SpanStart): Span;
}
