import { useState } from 'preact/hooks';
import type { StatusReport } from '../../../agent/api.ts';
import type { CoordinatorReport } from '../../../agent/coordinator-types.ts';
import type { DatasetLossReport, LossReport } from '../../../agent/upkeep-types.ts';
import { counted, listed, type Tone } from '../../model/words.ts';
import { call } from '../api.ts';
import type { ScreenProps } from '../app.tsx';
import { useAnswer } from '../parts/ask.ts';
import { Problem } from '../parts/problem.tsx';
import { Sign } from '../parts/sign.tsx';
import { Table } from '../parts/table.tsx';

/** Which site holds what, and what would be if some were lost. */
export function DurabilityScreen({ feed }: ScreenProps) {
  const { status, coordinator } = feed.topics;
  const [lost, setLost] = useState<readonly string[]>([]);
  const away = status?.sites.map(({ reachable }) => reachable).join();
  const newest = status?.datasets.map(({ restorable }) => restorable?.snapshot).join();
  const ask = (): Promise<LossReport> => call('POST', 'v1/layout/loss', { sites: lost });
  const { value, problem } = useAnswer(ask, [lost.join('\n'), away, newest]);
  if (status === undefined) return null;
  const toggle = (site: string): void =>
    setLost(lost.includes(site) ? lost.filter((one) => one !== site) : [...lost, site]);
  return (
    <>
      <section class="card" aria-labelledby="what-if">
        <h2 id="what-if">What if these sites were lost?</h2>
        <p class="quiet">Choose sites. Nothing happens to them.</p>
        <ul class="sites">
          {status.sites.map(({ site, region, reachable }) => (
            <li key={site} class={lost.includes(site) ? 'lost' : ''}>
              <label>
                <input
                  type="checkbox"
                  checked={lost.includes(site)}
                  onChange={() => toggle(site)}
                />{' '}
                <b>{site}</b>{' '}
                <span class="quiet">
                  {region}
                  {reachable === 0 ? ', does not answer' : ''}
                </span>
              </label>
            </li>
          ))}
        </ul>
        <Problem text={problem} />
        <div role="status">
          {value !== undefined && (
            <Verdict
              reports={value.datasets}
              lost={lost}
              status={status}
              coordinator={coordinator}
            />
          )}
        </div>
      </section>
      {value !== undefined && value.datasets.length > 0 && (
        <DurabilityMap reports={value.datasets} lost={lost} status={status} />
      )}
    </>
  );
}

type VerdictProps = {
  reports: readonly DatasetLossReport[];
  lost: readonly string[];
  status: StatusReport;
  coordinator: CoordinatorReport | undefined;
};

function Verdict({ reports, lost, status, coordinator }: VerdictProps) {
  const gone = reports
    .filter(({ newest }) => newest?.isRestorable !== true)
    .map(({ name }) => name);
  const tone: Tone = reports.length === 0 ? 'idle' : gone.length > 0 ? 'bad' : 'good';
  const without = lost.length === 0 ? 'As it is now' : `Without ${listed(lost)}`;
  const words =
    reports.length === 0
      ? 'There is no dataset yet.'
      : gone.length === 0
        ? `${without}, ${reports.length === 1 ? 'the dataset' : `all ${counted(reports.length, 'dataset')}`} can be restored.`
        : `${without}, ${listed(gone)} can NOT be restored.`;
  const left = coordinator?.voters.filter(
    ({ site, isReachable }) => isReachable && !lost.includes(site),
  ).length;
  const quorum = status.coordinator.quorum;
  return (
    <>
      <p class={`answer ${tone}`}>
        <Sign tone={tone} size={28} /> <b>{words}</b>
      </p>
      {left !== undefined && (
        <p>
          <Sign tone={left >= quorum ? 'good' : 'warn'} size={16} /> {counted(left, 'voter')} would
          be left, {quorum} are needed:{' '}
          {left >= quorum
            ? 'decisions go on.'
            : 'no decisions until they are back, or operators sign a decree. Restores go on.'}
        </p>
      )}
    </>
  );
}

type MapProps = {
  reports: readonly DatasetLossReport[];
  lost: readonly string[];
  status: StatusReport;
};

function DurabilityMap({ reports, lost, status }: MapProps) {
  const sites = status.sites.map(({ site }) => site);
  const isOut = (site: string): boolean =>
    lost.includes(site) || status.sites.some((one) => one.site === site && one.reachable === 0);
  return (
    <section class="card" aria-labelledby="held">
      <h2 id="held">Who holds the newest snapshot of each dataset</h2>
      <p class="quiet">Packs of it of which the site has a shard, by its signed word.</p>
      <Table label="held" columns={['Dataset', 'Restorable', 'More sites may fail', ...sites]}>
        {reports.map(({ name, id, newest }) => (
          <tr key={id}>
            <th scope="row">{name}</th>
            <td>
              <Sign tone={newest?.isRestorable === true ? 'good' : 'bad'} size={16} />{' '}
              {newest === undefined
                ? 'never backed up'
                : newest.isRestorable
                  ? 'yes'
                  : `NO, ${counted(newest.lostPacks, 'pack')} lost`}
            </td>
            <td>
              {newest === undefined || newest.sitesMayFail < 0
                ? '–'
                : newest.sitesMayFail === 0
                  ? 'none'
                  : `any ${newest.sitesMayFail}`}
            </td>
            {sites.map((site) => {
              const packs = newest?.holders.find((holder) => holder.site === site)?.packs ?? 0;
              const share = newest === undefined || newest.packs === 0 ? 0 : packs / newest.packs;
              const kind = isOut(site) ? 'out' : share === 0 ? 'none' : share < 1 ? 'part' : 'all';
              return (
                <td key={site}>
                  <span class={`held ${kind}`}>
                    {isOut(site) ? `out (${packs})` : `${packs} of ${newest?.packs ?? 0}`}
                  </span>
                </td>
              );
            })}
          </tr>
        ))}
      </Table>
    </section>
  );
}
