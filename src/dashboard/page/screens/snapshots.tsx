import { useState } from 'preact/hooks';
import type { SnapshotReport, StatusReport } from '../../../agent/api.ts';
import { formatSize } from '../../../base/quantity.ts';
import { type Tone, when } from '../../model/words.ts';
import { call } from '../api.ts';
import type { ScreenProps } from '../app.tsx';
import { useAnswer } from '../parts/ask.ts';
import { Browse } from '../parts/browse.tsx';
import { Pager } from '../parts/pager.tsx';
import { Problem } from '../parts/problem.tsx';
import { Sign } from '../parts/sign.tsx';
import { numbers, Table } from '../parts/table.tsx';
import { linkTo } from '../route.ts';

const pageSize = 50;

/** What there is to restore; one of them opened, with the kit. */
export function SnapshotsScreen({ feed, rest }: ScreenProps) {
  const { status } = feed.topics;
  const [dataset = '', snapshot] = rest;
  if (status === undefined) return null;
  return (
    <>
      {snapshot !== undefined && snapshot !== '' && (
        <Browse key={snapshot} id={snapshot} dataset={dataset} />
      )}
      <Snapshots key={dataset} status={status} dataset={dataset} chosen={snapshot} />
    </>
  );
}

type ListProps = { status: StatusReport; dataset: string; chosen: string | undefined };

function Snapshots({ status, dataset, chosen }: ListProps) {
  const [page, setPage] = useState(0);
  const [text, setText] = useState('');
  const of = status.datasets.filter(({ name }) => dataset === '' || name === dataset);
  const total = of.reduce((sum, { snapshots }) => sum + snapshots, 0);
  const query = new URLSearchParams({ skip: String(page * pageSize), count: String(pageSize) });
  if (dataset !== '') query.set('dataset', dataset);
  if (text !== '') query.set('text', text);
  const ask = (): Promise<SnapshotReport[]> => call('GET', `v1/snapshots?${query.toString()}`);
  const { value, problem, isBusy } = useAnswer(ask, [query.toString(), total]);
  return (
    <section class="card" aria-labelledby="snapshots">
      <h2 id="snapshots">Snapshots, newest first</h2>
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          setPage(0);
          setText(String(new FormData(event.currentTarget).get('text') ?? '').trim());
        }}
      >
        <label class="field">
          <span>Dataset</span>
          <select
            value={dataset}
            onChange={({ currentTarget }) => {
              location.hash = linkTo(
                'snapshots',
                ...(currentTarget.value === '' ? [] : [currentTarget.value]),
              );
            }}
          >
            <option value="">all</option>
            {status.datasets.map(({ id, name }) => (
              <option key={id} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Id, tag, host, or moment (UTC)</span>
          <input name="text" placeholder="2026-11-29 06" spellcheck={false} autocomplete="off" />
        </label>
        <button type="submit">Find</button>
      </form>
      <Problem text={problem} />
      {value?.length === 0 && (
        <p role="status">{text === '' ? 'There is none yet.' : 'None is like that.'}</p>
      )}
      {value !== undefined && value.length > 0 && (
        <div class={isBusy ? 'busy' : ''}>
          <Table label="snapshots" columns={columns}>
            {value.toReversed().map((one) => (
              <Row key={one.id} snapshot={one} isChosen={one.id === chosen} />
            ))}
          </Table>
          {text === '' ? (
            <Pager page={page} size={pageSize} total={total} change={setPage} />
          ) : (
            <Found page={page} count={value.length} change={setPage} />
          )}
        </div>
      )}
    </section>
  );
}

/** How many there are of what was looked for, nobody has counted. */
function Found(props: { page: number; count: number; change: (page: number) => void }) {
  const { page, count, change } = props;
  const first = page * pageSize + 1;
  return (
    <nav class="pager" aria-label="Pages of what was found">
      <button type="button" disabled={page === 0} onClick={() => change(page - 1)}>
        Newer
      </button>
      <span role="status">
        Found: {first} to {first + count - 1}
      </span>
      <button type="button" disabled={count < pageSize} onClick={() => change(page + 1)}>
        Older
      </button>
    </nav>
  );
}

const columns = [
  'Snapshot',
  'Taken',
  'Dataset',
  'State',
  'Tags',
  ...numbers('Files', 'Size', 'New'),
  'Kept',
];

function Row({ snapshot, isChosen }: { snapshot: SnapshotReport; isChosen: boolean }) {
  const {
    id,
    shortId,
    dataset,
    state,
    suspicion,
    keeping,
    tags,
    annotations = {},
    line,
  } = snapshot;
  const isSuspect = suspicion?.state === 'suspect' || suspicion?.state === 'after-suspect';
  const tone: Tone =
    snapshot.isShredded === true || isSuspect ? 'bad' : state === 'committed' ? 'good' : 'warn';
  const words = snapshot.isShredded === true ? 'shredded' : isSuspect ? 'suspect' : state;
  return (
    <tr class={isChosen ? 'chosen' : ''}>
      <th scope="row">
        <a class="mono" href={linkTo('snapshots', dataset, id)}>
          {shortId}
        </a>
      </th>
      <td>{when(snapshot.timeMs)}</td>
      <td>
        {dataset}{' '}
        <span class="quiet">
          {snapshot.host}
          {line === 'side' ? ', side line' : ''}
        </span>
      </td>
      <td class="wrap">
        <Sign tone={tone} size={16} /> {words}
        {isSuspect ? `: ${suspicion.reasons.join('; ')}` : ''}
      </td>
      <td>{[...tags, ...Object.entries(annotations).map((pair) => pair.join('='))].join(', ')}</td>
      <td class="number">{snapshot.files}</td>
      <td class="number">{formatSize(snapshot.bytes)}</td>
      <td class="number">{formatSize(snapshot.bytesAdded)}</td>
      <td>{keeping?.stage ?? ''}</td>
    </tr>
  );
}
