import type { TraceId } from '../ids.ts';

/** A span that has ended. Times in milliseconds since 1970. */
export type EndedSpan = {
  readonly name: string;
  readonly trace: TraceId;
  /** 16 hexadecimal characters. */
  readonly id: string;
  readonly parent: string | undefined;
  readonly startMs: number;
  readonly endMs: number;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly problem: string | undefined;
};

/** Who tells: `service` is what the viewer groups by. */
export type Teller = {
  readonly service: string;
  readonly version: string;
  readonly facts: EndedSpan['facts'];
};

/** SPAN_KIND_INTERNAL and STATUS_CODE_ERROR of opentelemetry/proto/trace/v1/trace.proto. */
const kindInternal = 1;
const statusError = 2;

/** A request of OTLP over HTTP in JSON: ids in hexadecimal, whole numbers of 64 bits as text (OTLP 1, "JSON Protobuf Encoding"). */
export function otlpRequest(
  spans: readonly EndedSpan[],
  { service, version, facts }: Teller,
): string {
  const about = { 'service.name': service, 'service.version': version, ...facts };
  const scope = { name: 'holdfast', version };
  const scopeSpans = [{ scope, spans: spans.map(spanMessage) }];
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: attributesOf(about) }, scopeSpans }],
  });
}

function spanMessage(span: EndedSpan): object {
  const { name, trace, id, parent, startMs, endMs, facts, problem } = span;
  return {
    traceId: trace,
    spanId: id,
    ...(parent !== undefined && { parentSpanId: parent }),
    ...{ name, kind: kindInternal },
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: attributesOf(facts),
    ...(problem !== undefined && { status: { code: statusError, message: problem } }),
  };
}

function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}

function attributesOf(facts: EndedSpan['facts']): object[] {
  return Object.entries(facts).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
