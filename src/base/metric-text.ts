/** One measured value. Labels tell samples of a family apart. */
export type MetricSample = {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

/** Samples of one name. A name carries its unit at the end; a counter's ends in `_total`. */
export type MetricFamily = {
  readonly name: string;
  readonly kind: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: readonly MetricSample[];
};

/** The text format of Prometheus, 0.0.4. Families without samples are left out. */
export function metricText(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, kind, help, samples }) => {
      const lines = samples.map(({ labels, value }) => `${name}${labelText(labels)} ${value}`);
      return [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${kind}`, ...lines, ''].join('\n');
    })
    .join('');
}

/** A family of one gauge. `samples` undefined: nothing is known, and no sample is made. */
export function gauge(
  name: string,
  help: string,
  samples: number | undefined | readonly MetricSample[],
): MetricFamily {
  return { name, kind: 'gauge', help, samples: samplesOf(samples) };
}

export function counter(
  name: string,
  help: string,
  samples: number | undefined | readonly MetricSample[],
): MetricFamily {
  return { name, kind: 'counter', help, samples: samplesOf(samples) };
}

function samplesOf(samples: number | undefined | readonly MetricSample[]): readonly MetricSample[] {
  if (samples === undefined) return [];
  return typeof samples === 'number' ? [{ labels: {}, value: samples }] : samples;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const entries = Object.entries(labels);
  if (entries.length === 0) return '';
  return `{${entries.map(([key, value]) => `${key}="${escaped(value).replaceAll('"', '\\"')}"`).join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
