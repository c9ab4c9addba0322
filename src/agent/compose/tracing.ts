import { hostName } from '../../adapters/system/host.ts';
import { systemClock } from '../../adapters/system/runtime.ts';
import { OtlpTracer } from '../../adapters/telemetry/otlp-tracer.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import { version } from '../version.ts';

export type Traced = {
  /** Of a collector; undefined: nobody watches. */
  readonly endpoint: string | undefined;
  /** Who tells, beside the program's name. */
  readonly facts: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Brings spans of restores to an OpenTelemetry collector; undefined where none is named. */
export function openTracer({ endpoint, facts, clock, log }: Traced): OtlpTracer | undefined {
  if (endpoint === undefined) return undefined;
  const teller = { service: 'holdfast', version, facts };
  return new OtlpTracer({ endpoint, teller, clock, log });
}

/** For a restore without an agent, which has no configuration: by the variable that OpenTelemetry names for all programs. */
export function recoveryTracer(log: Log): OtlpTracer | undefined {
  const endpoint = process.env.OTEL_EXPORTER_OTLP_ENDPOINT || undefined;
  return openTracer({ endpoint, facts: { 'host.name': hostName() }, clock: systemClock(), log });
}
