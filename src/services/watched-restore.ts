import type { StatementHash, TraceId } from '../core/ids.ts';
import type { Span, Tracer } from '../ports/tracer.ts';
import type { SpanWatch } from './leaf-fetcher.ts';
import type { PackReaderStats } from './pack-reader.ts';

/** The span of all that is read of a snapshot, from its opening to its closing, and what is part of it. */
export class WatchedRestore {
  readonly #tracer: Tracer;
  readonly #trace: TraceId;
  readonly #span: Span;
  #isOver = false;

  constructor(tracer: Tracer, { trace, snapshot }: { trace: TraceId; snapshot: StatementHash }) {
    this.#tracer = tracer;
    this.#trace = trace;
    this.#span = tracer.begin({ name: 'read snapshot', trace, facts: { snapshot } });
  }

  get watch(): SpanWatch {
    return { tracer: this.#tracer, parent: this.#span.id };
  }

  begin(name: string): Span {
    return this.#tracer.begin({ name, trace: this.#trace, parent: this.#span.id });
  }

  end({ bytesFetched, bytesLocal, packsDecoded, hedges, corruptAnswers, sites }: PackReaderStats) {
    if (this.#isOver) return;
    this.#isOver = true;
    const counts = { bytesFetched, bytesLocal, packsDecoded, hedges, corruptAnswers };
    this.#span.end({ facts: { ...counts, sites: sites.join(' ') } });
  }
}
