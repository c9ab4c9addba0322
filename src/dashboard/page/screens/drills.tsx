import type { DatasetStatus } from '../../../agent/api.ts';
import type { DrillEntry } from '../../../agent/drill-types.ts';
import { formatSize } from '../../../base/quantity.ts';
import { spanWords, trendOf } from '../../model/trend.ts';
import { ago, short, type Tone } from '../../model/words.ts';
import type { ScreenProps } from '../app.tsx';
import { Command } from '../parts/command.tsx';
import { DrillForm } from '../parts/drill-form.tsx';
import { Sign } from '../parts/sign.tsx';
import { numbers, Table } from '../parts/table.tsx';
import { useWidth } from '../parts/width.ts';

/** What rehearsals of restores have measured, and how to run one. */
export function DrillsScreen({ feed }: ScreenProps) {
  const { drills = [], status } = feed.topics;
  const datasets = status?.datasets ?? [];
  return (
    <>
      {status !== undefined && <DrillForm status={status} />}
      {datasets.map((dataset) => {
        const own = drills.filter(({ report }) => isOf(report, dataset));
        return <Trends key={dataset.id} dataset={dataset} drills={own} />;
      })}
      {drills.length > 0 && <Drills drills={drills.toReversed()} nowMs={feed.timeMs} />}
    </>
  );
}

/** Of what is backed up, and not of one file: made-up data has times of its own. */
function isOf({ where, kind, dataset }: DrillEntry['report'], { id }: DatasetStatus): boolean {
  return dataset?.id === id && where === 'cluster' && kind !== 'file';
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
  const columns = [
    ...['When', 'Outcome', 'What', 'Ran at'],
    ...numbers('Seen', 'Contained', 'RTO', 'RPO', 'Read'),
    'Report',
  ];
  return (
    <section class="card" aria-labelledby="drills">
      <h2 id="drills">Reports, newest first</h2>
      <Table label="drills" columns={columns}>
        {drills.slice(0, 200).map((drill) => (
          <Row key={drill.id} drill={drill} nowMs={nowMs} />
        ))}
      </Table>
      <p>
        <Command text="holdfast drill report --since 90d --format html" />
      </p>
    </section>
  );
}

function Row({ drill, nowMs }: { drill: DrillEntry; nowMs: number }) {
  const { id, report, timeMs, isAnchored } = drill;
  const { detectMs, containMs, rtoMs, rpoMs } = report.times;
  return (
    <tr>
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
        {report.without === undefined ? '' : ` without ${report.without.join(', ')}`}
        {report.where === 'sandbox' && <span class="quiet"> made-up data</span>}
      </td>
      <td>{report.agent.name}</td>
      <td class="number">{tookWords(detectMs)}</td>
      <td class="number">{tookWords(containMs)}</td>
      <td class="number">
        {report.isRtoReckoned ? 'about ' : ''}
        {tookWords(rtoMs)}
      </td>
      <td class="number">{tookWords(rpoMs)}</td>
      <td class="number">{formatSize(report.fidelity?.bytes ?? 0)}</td>
      <td>
        <span class="mono">{short(id)}</span> {isAnchored ? 'anchored' : ''}
      </td>
    </tr>
  );
}

function tookWords(ms: number | undefined): string {
  return ms === undefined ? '–' : spanWords(ms);
}
