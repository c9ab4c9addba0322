import type { DatasetStatus, StatusReport } from '../../../agent/api.ts';
import { formatSize, formatSpan } from '../../../base/quantity.ts';
import { standingCount } from '../../model/alarms.ts';
import { type Answer, overviewOf, type Task } from '../../model/overview.ts';
import { counted, listed, type Tone } from '../../model/words.ts';
import type { ScreenProps } from '../app.tsx';
import { Alarms } from '../parts/alarms.tsx';
import { Command } from '../parts/command.tsx';
import { Sign } from '../parts/sign.tsx';
import { numbers, Table } from '../parts/table.tsx';
import { linkTo } from '../route.ts';

/** Is my data safe, what was lost, what should I do. */
export function OverviewScreen({ feed }: ScreenProps) {
  const { status, peers = [], proposals = [], alarm = [] } = feed.topics;
  if (status === undefined) return null;
  const overview = overviewOf({
    ...{ status, peers, proposals, nowMs: feed.timeMs },
    alarms: standingCount(alarm),
  });
  return (
    <>
      <section class={`verdict ${overview.tone}`} aria-labelledby="verdict">
        <Sign tone={overview.tone} size={64} />
        <div>
          <p class="question">Is my data safe?</p>
          <h2 id="verdict">{overview.verdict}</h2>
          <p>{overview.explanation}</p>
        </div>
      </section>
      {overview.answers.length > 0 && <Answers answers={overview.answers} />}
      <Tasks tasks={overview.tasks} />
      <Alarms alarms={alarm} nowMs={feed.timeMs} />
      <Datasets datasets={status.datasets} surviveSites={status.policy.surviveSites} />
      <Sites status={status} />
    </>
  );
}

function Answers({ answers }: { answers: readonly Answer[] }) {
  return (
    <dl class="answers">
      {answers.map(({ question, answer, tone }) => (
        <div key={question}>
          <dt>
            <Sign tone={tone} /> {question}
          </dt>
          <dd>{answer}</dd>
        </div>
      ))}
    </dl>
  );
}

function Tasks({ tasks }: { tasks: readonly Task[] }) {
  return (
    <section class="card" aria-labelledby="todo">
      <h2 id="todo">What should I do?</h2>
      {tasks.length === 0 ? (
        <p class="calm">
          <Sign tone="good" /> Nothing. Go back to sleep.
        </p>
      ) : (
        <ol class="tasks">
          {tasks.map(({ tone, text, command }) => (
            <li key={text}>
              <Sign tone={tone} />
              <div>
                <p>{text}</p>
                {command !== undefined && <Command text={command} />}
              </div>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Datasets({
  datasets,
  surviveSites,
}: {
  datasets: readonly DatasetStatus[];
  surviveSites: number;
}) {
  if (datasets.length === 0) return null;
  return (
    <section class="card" aria-labelledby="datasets">
      <h2 id="datasets">Datasets</h2>
      <Table label="datasets" columns={columns}>
        {datasets.map((dataset) => (
          <Dataset key={dataset.id} dataset={dataset} surviveSites={surviveSites} />
        ))}
      </Table>
    </section>
  );
}

const columns = [
  ...['Dataset', 'Restorable now', 'Newest', 'From sites', 'More sites may fail', 'Restore takes'],
  ...numbers('Size', 'Snapshots'),
];

function Dataset({ dataset, surviveSites }: { dataset: DatasetStatus; surviveSites: number }) {
  const { name, source, restorable, snapshots } = dataset;
  const tone = toneOf(dataset, surviveSites);
  return (
    <tr>
      <th scope="row">
        <a href={linkTo('snapshots', name)}>{name}</a>
        {source !== name && <span class="quiet"> of {source}</span>}
      </th>
      <td>
        <Sign tone={tone} size={16} /> {restorable?.isRestorableNow === true ? 'yes' : 'NO'}
      </td>
      <td>{restorable === undefined ? 'never' : `${formatSpan(restorable.ageMs)} ago`}</td>
      <td>
        {restorable === undefined || restorable.sites.length === 0
          ? 'none'
          : listed(restorable.sites)}
      </td>
      <td>{restorable === undefined ? '–' : mayFail(restorable.sitesMayFail)}</td>
      <td>{drillWords(dataset)}</td>
      <td class="number">{restorable === undefined ? '–' : formatSize(restorable.bytes)}</td>
      <td class="number">{snapshots}</td>
    </tr>
  );
}

function toneOf({ restorable }: DatasetStatus, surviveSites: number): Tone {
  if (restorable?.isRestorableNow !== true) return 'bad';
  return restorable.state === 'committed' && restorable.sitesMayFail >= surviveSites
    ? 'good'
    : 'warn';
}

function mayFail(count: number): string {
  return count < 0 ? 'already too many' : count === 0 ? 'none' : `any ${count}`;
}

function drillWords({ drill }: DatasetStatus): string {
  const last = drill?.last;
  if (last?.rtoMs === undefined) return 'never measured';
  return `${last.isRtoReckoned ? 'about ' : ''}${formatSpan(last.rtoMs)}${last.outcome === 'passed' ? '' : ', FAILED'}`;
}

function Sites({ status }: { status: StatusReport }) {
  const { sites, coordinator } = status;
  const up = sites.filter(({ reachable }) => reachable > 0).length;
  return (
    <section class="card" aria-labelledby="sites">
      <h2 id="sites">
        Sites: {up} of {sites.length} answer
      </h2>
      <ul class="sites">
        {sites.map(({ site, region, members, reachable }) => {
          const tone: Tone = reachable === 0 ? 'bad' : reachable < members ? 'warn' : 'good';
          return (
            <li key={site}>
              <Sign tone={tone} size={16} /> <b>{site}</b>{' '}
              <span class="quiet">
                {region} · {reachable} of {counted(members, 'host')}
              </span>
            </li>
          );
        })}
      </ul>
      <p>
        Coordinator: <b>{coordinator.leader ?? 'nobody'}</b>; quorum:{' '}
        {coordinator.hasQuorum ? 'yes' : 'NO'} ({coordinator.votersReachable} of{' '}
        {counted(coordinator.voters, 'voter')} reachable, {coordinator.quorum} needed). Policy:{' '}
        {status.policy.words}.
      </p>
    </section>
  );
}
