import { useState } from 'preact/hooks';
import type { SnapshotReport } from '../../../agent/api.ts';
import type { KitLine } from '../../../agent/kit-types.ts';
import { formatSize } from '../../../base/quantity.ts';
import { shellWord, short, when } from '../../model/words.ts';
import { call, download, lines } from '../api.ts';
import { useAction, useAnswer } from './ask.ts';
import { Command } from './command.tsx';
import { useKitFile } from './kit.tsx';
import { Problem } from './problem.tsx';
import { numbers, Table } from './table.tsx';

type Result = {
  readonly title: string;
  readonly path?: string;
  readonly lines: readonly KitLine[];
  readonly isCut: boolean;
};

/** More would make the page slow; what is searched for is narrowed, or asked for at a terminal. */
const linesMax = 2000;

/** Looks into one snapshot, with the recovery kit. */
export function Browse({ id, dataset }: { id: string; dataset: string }) {
  const [kit, KitField] = useKitFile();
  const [pattern, setPattern] = useState('');
  const [other, setOther] = useState('');
  const { value, problem, isBusy, start } = useAction<Result>();
  const query = new URLSearchParams({ dataset, skip: '0', count: '50' });
  const others = useAnswer<SnapshotReport[]>(
    () => call('GET', `v1/snapshots?${query.toString()}`),
    [dataset],
  );
  const list = (path: string): void =>
    start(() =>
      gather({ title: `In ${path}`, path, from: 'list', body: { kit, snapshot: id, path } }),
    );
  const find = (): void =>
    start(() =>
      gather({
        title: `Named like ${pattern}`,
        from: 'find',
        body: { kit, snapshot: id, pattern },
      }),
    );
  const diff = (): void =>
    start(() =>
      gather({
        title: `Changes from ${short(other)} to ${short(id)}`,
        from: 'diff',
        body: { kit, from: other, to: id, path: '/' },
      }),
    );
  const submit =
    (work: () => void) =>
    (event: Event): void => {
      event.preventDefault();
      work();
    };
  const isClosed = isBusy || kit === '';
  return (
    <section class="card" aria-labelledby="browse">
      <h2 id="browse">
        Snapshot <span class="mono">{short(id)}</span> of {dataset}
      </h2>
      <p>
        A host cannot open what it has sent, so looking inside needs the recovery kit. The page
        gives its place to a process on the agent's host, which reads it there.
      </p>
      <form onSubmit={submit(() => list('/'))}>
        {KitField()}
        <button type="submit" class="main" disabled={isClosed}>
          Browse
        </button>
      </form>
      <form onSubmit={submit(find)}>
        <label class="field">
          <span>Search by name</span>
          <input
            value={pattern}
            required
            placeholder="*.conf"
            onInput={({ currentTarget }) => setPattern(currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={isClosed}>
          Search
        </button>
      </form>
      <form onSubmit={submit(diff)}>
        <label class="field">
          <span>Compare with an earlier one</span>
          <select
            value={other}
            required
            onChange={({ currentTarget }) => setOther(currentTarget.value)}
          >
            <option value="">choose …</option>
            {(others.value ?? [])
              .toReversed()
              .filter((one) => one.id !== id)
              .map((one) => (
                <option key={one.id} value={one.id}>
                  {one.shortId}, {when(one.timeMs)}
                </option>
              ))}
          </select>
        </label>
        <button type="submit" disabled={isClosed || other === ''}>
          Show what changed
        </button>
      </form>
      <div role="status">{isBusy && <p class="busy">Fetching and opening …</p>}</div>
      <Problem text={problem} />
      {value !== undefined && <Found result={value} {...{ id, kit, list }} />}
      <p class="quiet">
        The same at a terminal:{' '}
        <Command text={`holdfast ls ${short(id)} --kit ${kit === '' ? 'FILE' : shellWord(kit)}`} />
      </p>
    </section>
  );
}

async function gather(asked: {
  title: string;
  path?: string;
  from: string;
  body: object;
}): Promise<Result> {
  const { title, path, from, body } = asked;
  const found: KitLine[] = [];
  const enough = new AbortController();
  for await (const line of lines<KitLine>(`v1/kit/${from}`, body, enough.signal)) {
    if (line.type === 'summary') continue;
    found.push(line);
    if (found.length < linesMax) continue;
    enough.abort();
    break;
  }
  return {
    title,
    lines: found,
    isCut: found.length === linesMax,
    ...(path === undefined ? {} : { path }),
  };
}

type FoundProps = { result: Result; id: string; kit: string; list: (path: string) => void };

function Found({ result, id, kit, list }: FoundProps) {
  const { title, path, isCut } = result;
  const { problem, isBusy, start } = useAction<undefined>();
  const save = (file: string): void =>
    start(() =>
      download('v1/kit/dump', { kit, snapshot: id, path: file }, file.split('/').at(-1) ?? 'file'),
    );
  const parent =
    path === undefined || path === '/' ? undefined : path.replace(/\/[^/]*$/, '') || '/';
  return (
    <>
      <h3 id="found">{title}</h3>
      {parent !== undefined && (
        <button type="button" onClick={() => list(parent)}>
          Up to {parent}
        </button>
      )}
      <Problem text={problem} />
      {result.lines.length === 0 ? (
        <p>Nothing.</p>
      ) : (
        <Table label="found" columns={['Name', 'Kind', ...numbers('Size'), 'Changed', 'Get']}>
          {result.lines.map((line, i) => (
            <FoundRow key={i} {...{ line, list, save, isBusy, below: path }} />
          ))}
        </Table>
      )}
      {isCut && <p>There is more: only the first {linesMax} are shown.</p>}
    </>
  );
}

type RowProps = {
  line: KitLine;
  below: string | undefined;
  isBusy: boolean;
  list: (path: string) => void;
  save: (path: string) => void;
};

function FoundRow({ line, below, isBusy, list, save }: RowProps) {
  const path = String(line.path ?? '');
  // The directory that was asked for stands first in its own list.
  if (path === below) return null;
  const name = below === undefined ? path : path.slice(below === '/' ? 1 : below.length + 1);
  const isDirectory =
    line.type === 'entry' &&
    line.permissions !== undefined &&
    String(line.permissions).startsWith('d');
  const isFile = String(line.permissions ?? '').startsWith('-') && line.path_b64 === undefined;
  return (
    <tr>
      <th scope="row" class="wrap">
        {isDirectory ? (
          <button type="button" class="plain" onClick={() => list(path)}>
            {name}/
          </button>
        ) : (
          name
        )}
      </th>
      <td>
        {line.change === undefined
          ? isDirectory
            ? 'directory'
            : isFile
              ? 'file'
              : 'other'
          : String(line.change)}
      </td>
      <td class="number">{isFile ? formatSize(Number(line.size)) : ''}</td>
      <td>{line.mtime === undefined ? '' : when(Date.parse(String(line.mtime)))}</td>
      <td>
        {isFile && (
          <button type="button" disabled={isBusy} onClick={() => save(path)}>
            Download<span class="hidden"> {name}</span>
          </button>
        )}
      </td>
    </tr>
  );
}
