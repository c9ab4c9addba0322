import type { MetricSample } from '../base/metric-text.ts';

/** What is counted of work that begins and ends, by dataset, since the agent has started. */
export class RunTally {
  readonly #counts = new Map<string, { labels: Record<string, string>; value: number }>();

  add(name: string, labels: Readonly<Record<string, string>>, value = 1): void {
    const key = `${name} ${Object.values(labels).join('\n')}`;
    const known = this.#counts.get(key);
    if (known !== undefined) known.value += value;
    else if (this.#counts.size < samplesMax) {
      this.#counts.set(key, { labels: { ...labels }, value });
    }
  }

  of(name: string): MetricSample[] {
    return [...this.#counts].flatMap(([key, sample]) =>
      key.startsWith(`${name} `) ? [{ ...sample }] : [],
    );
  }
}

/** Datasets have names that their sources choose: more of them than this are not counted one by one. */
const samplesMax = 10_000;
