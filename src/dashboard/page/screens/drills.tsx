import { useState } from 'preact/hooks';
import type { DatasetStatus } from '../../../agent/api.ts';
import type { DrillEntry } from '../../../agent/drill-types.ts';
import type { KitLine } from '../../../agent/kit-types.ts';
import { formatSize } from '../../../base/quantity.ts';
import { spanWords, trendOf } from '../../model/trend.ts';
import { ago, short, type Tone } from '../../model/words.ts';
import { lines } from '../api.ts';
import type { ScreenProps } from '../app.tsx';
import { useAction } from '../parts/ask.ts';
import { Command } from '../parts/command.tsx';
import { useKitFile } from '../parts/kit.tsx';
import { Problem } from '../parts/problem.tsx';
import { Sign } from '../parts/sign.tsx';
import { numbers, Table } from '../parts/table.tsx';
import { useWidth } from '../parts/width.ts';

/** What rehearsals of restores have measured, and how to run one. */
export function DrillsScreen({ feed }: ScreenProps) {
  const { drills = [], status } = feed.topics;
  const datasets = status?.datasets ?? [];
  return (
    <>
      <DrillForm datasets={datasets} />
      {datasets.map((dataset) => {
        const own = drills.filter(({ report }) => report.dataset?.id === dataset.id);
        return <Trends key={dataset.id} dataset={dataset} drills={own} />;
      })}
      {drills.length > 0 && <Drills drills={drills.toReversed()} nowMs={feed.timeMs} />}
    </>
  );
}

function DrillForm({ datasets }: { datasets: readonly DatasetStatus[] }) {
  const [name, setName] = useState<string>();
  const [kit, KitField] = useKitFile();
  const [progress, setProgress] = useState('');
  const { value, problem, isBusy, start } = useAction<string>();
  const dataset = name ?? datasets[0]?.name;
  if (dataset === undefined) {
    return (
      <section class="card">
        <p>There is nothing to rehearse yet: no dataset was backed up.</p>
      </section>
    );
  }
  const submit = (event: Event): void => {
    event.preventDefault();
    setProgress('Opening the backups with the kit …');
    start(() => drill({ kit, dataset }, setProgress));
  };
  return (
    <section class="card" aria-labelledby="run">
      <h2 id="run">Rehearse a restore now</h2>
      <p>
        Restores into a staging area on the agent's host, reads everything back, compares every
        digest, and measures. Nothing that is live is touched.
      </p>
      <form onSubmit={submit}>
        <label class="field">
          <span>Dataset</span>
          <select value={dataset} onChange={({ currentTarget }) => setName(currentTarget.value)}>
            {datasets.map((one) => (
              <option key={one.id}>{one.name}</option>
            ))}
          </select>
        </label>
        {KitField()}
        <button type="submit" class="main" disabled={isBusy || kit === ''}>
          Run the drill
        </button>
      </form>
      <p role="status">{isBusy ? progress : value}</p>
      <Problem text={problem} />
      <p class="quiet">
        Only the kit opens backups, so the drill needs it; it stays on that host. The same there:{' '}
        <Command
          text={`holdfast drill run dataset ${dataset} --kit ${kit === '' ? 'FILE' : kit}`}
        />
      </p>
    </section>
  );
}

async function drill(
  order: { kit: string; dataset: string },
  show: (text: string) => void,
): Promise<string> {
  let result = 'The drill ended without a report.';
  for await (const line of lines<KitLine>('v1/kit/drill', order, new AbortController().signal)) {
    if (line.type === 'status')
      show(
        `Restoring: ${formatSize(Number(line.bytes_done ?? 0))} of ${formatSize(Number(line.bytes_total ?? 0))}`,
      );
    if (line.type === 'summary')
      result = 'Done: the report was signed, and stands first in the list below.';
  }
  return result;
}

function Trends({ dataset, drills }: { dataset: DatasetStatus; drills: readonly DrillEntry[] }) {
  const state = dataset.drill?.state;
  return (
    <section class="card" aria-labelledby={`trend-${dataset.id}`}>
      <h2 id={`trend-${dataset.id}`}>
        {dataset.name}{' '}
        {state !== undefined && (
          <span class="quiet">{state === 'overdue' ? 'a drill is OVERDUE' : ''}</span>
        )}
      </h2>
      {drills.length === 0 ? (
        <p>
          <Sign tone="warn" size={16} /> Never rehearsed: nobody knows how long a restore takes.
        </p>
      ) : (
        <div class="charts">
          <Chart drills={drills} measure="rto" title="RTO: until everything was back" />
          <Chart drills={drills} measure="rpo" title="RPO: age of what came back" />
        </div>
      )}
    </section>
  );
}

const chartHeight = 140;

function Chart({
  drills,
  measure,
  title,
}: {
  drills: readonly DrillEntry[];
  measure: 'rto' | 'rpo';
  title: string;
}) {
  const [holder, width] = useWidth<HTMLDivElement>();
  const { points, line, targetY, max } = trendOf(drills, measure, { width, height: chartHeight });
  const newest = points.at(-1);
  return (
    <figure>
      <figcaption>
        <b>{title}</b>
      </figcaption>
      <div ref={holder}>
        <svg
          class="chart"
          width={width}
          height={chartHeight}
          role="img"
          aria-label={`${title}. ${points.map(({ words }) => words).join('; ')}`}
        >
          <text x="4" y="12">
            {max}
          </text>
          <text x="4" y={chartHeight - 2}>
            0
          </text>
          {targetY !== undefined && <path class="target" d={`M0 ${targetY}H${width}`} />}
          <path class="line" d={line} />
          {points.map((point, i) => (
            <circle key={i} class={point.tone} cx={point.x} cy={point.y} r="5">
              <title>{point.words}</title>
            </circle>
          ))}
        </svg>
      </div>
      <p class="quiet">
        Newest: {newest?.words ?? 'not measured'}
        {targetY === undefined ? '; no target in the policy' : '; dashed: the target'}
      </p>
    </figure>
  );
}

const outcomeTones: Record<DrillEntry['report']['outcome'], Tone> = {
  passed: 'good',
  missed: 'warn',
  failed: 'bad',
};

function Drills({ drills, nowMs }: { drills: readonly DrillEntry[]; nowMs: number }) {
  const columns = ['When', 'Outcome', 'What', 'Ran at', ...numbers('RTO', 'RPO', 'Read'), 'Report'];
  return (
    <section class="card" aria-labelledby="drills">
      <h2 id="drills">Reports, newest first</h2>
      <Table label="drills" columns={columns}>
        {drills.slice(0, 200).map(({ id, report, timeMs, isAnchored }) => (
          <tr key={id}>
            <th scope="row">{ago(nowMs - timeMs)}</th>
            <td class="wrap">
              <Sign tone={outcomeTones[report.outcome]} size={16} /> {report.outcome}
              {report.criteria
                .filter(({ isMet }) => !isMet)
                .map(({ name, detail }) => (
                  <div key={name}>
                    {name}: {detail}
                  </div>
                ))}
            </td>
            <td>
              {report.kind}
              {report.dataset === undefined ? '' : ` ${report.dataset.name}`}
              {report.where === 'sandbox' ? ', in a sandbox' : ''}
            </td>
            <td>{report.agent.name}</td>
            <td class="number">
              {report.times.rtoMs === undefined ? '–' : spanWords(report.times.rtoMs)}
            </td>
            <td class="number">
              {report.times.rpoMs === undefined ? '–' : spanWords(report.times.rpoMs)}
            </td>
            <td class="number">{formatSize(report.fidelity?.bytes ?? 0)}</td>
            <td>
              <span class="mono">{short(id)}</span> {isAnchored ? 'anchored' : ''}
            </td>
          </tr>
        ))}
      </Table>
      <p>
        <Command text="holdfast drill report --since 90d --format html" />
      </p>
    </section>
  );
}
