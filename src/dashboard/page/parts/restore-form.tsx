import { useState } from 'preact/hooks';
import type { RestoreEvent } from '../../../agent/api.ts';
import type { RestoreGrantReport } from '../../../agent/grant-types.ts';
import { formatSize } from '../../../base/quantity.ts';
import { shellWord, short } from '../../model/words.ts';
import { call, lines } from '../api.ts';
import type { Feed } from '../feed.ts';
import { useAction } from './ask.ts';
import { Command } from './command.tsx';
import { Problem } from './problem.tsx';
import { Sign } from './sign.tsx';

/** Asks operators for the keys of a snapshot, and restores here what they have granted. */
export function RestoreForm({ feed }: { feed: Feed }) {
  const { status, restores = [] } = feed.topics;
  // A grant is used up while its restore runs: how that went must stay to be read.
  const [begun, setBegun] = useState<readonly string[]>([]);
  const granted = restores.filter(
    ({ id, state, isHere }) =>
      begun.includes(id) || (isHere && (state === 'granted' || state === 'in-use')),
  );
  if (status === undefined) return null;
  return (
    <section class="card" aria-labelledby="start">
      <h2 id="start">Start a restore</h2>
      {granted.map((grant) => (
        <RunForm key={grant.id} grant={grant} begin={() => setBegun([...begun, grant.id])} />
      ))}
      {status.datasets.length === 0 ? (
        <p>There is nothing to restore yet.</p>
      ) : (
        <RequestForm names={status.datasets.map(({ name }) => name)} host={status.agent.name} />
      )}
    </section>
  );
}

function RequestForm({ names, host }: { names: readonly string[]; host: string }) {
  const [dataset, setDataset] = useState(names[0] ?? '');
  const [path, setPath] = useState('');
  const [reason, setReason] = useState('');
  const { value, problem, isBusy, start } = useAction<RestoreGrantReport>();
  const submit = (event: Event): void => {
    event.preventDefault();
    const wish = { snapshot: 'latest', dataset, path: path === '/' ? '' : path, reason };
    start(() => call('POST', 'v1/restores/request', wish));
  };
  return (
    <>
      <p>
        This host has no key: operators give it those of one snapshot, once. With the recovery kit
        at hand, any machine restores without asking:
      </p>
      <Command text={`holdfast restore latest --dataset ${shellWord(dataset)} --kit FILE -t DIR`} />
      <form onSubmit={submit}>
        <label class="field">
          <span>Dataset</span>
          <select value={dataset} onChange={({ currentTarget }) => setDataset(currentTarget.value)}>
            {names.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Only this path (empty: all of it)</span>
          <input
            value={path}
            placeholder="/srv/web"
            onInput={({ currentTarget }) => setPath(currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Why: everybody will read it</span>
          <input
            value={reason}
            required
            maxLength={256}
            size={32}
            onInput={({ currentTarget }) => setReason(currentTarget.value)}
          />
        </label>
        <button type="submit" class="main" disabled={isBusy}>
          Ask for a restore at {host}
        </button>
      </form>
      <Problem text={problem} />
      {value !== undefined && (
        <p role="status">
          <Sign tone="good" size={16} /> Asked. {value.needed} of the operators must sign it, each
          where their key is: <Command text={`holdfast approve sign ${short(value.id)}`} />
        </p>
      )}
    </>
  );
}

function RunForm({ grant, begin }: { grant: RestoreGrantReport; begin: () => void }) {
  const [target, setTarget] = useState('');
  const [progress, setProgress] = useState('');
  const { value, problem, isBusy, start } = useAction<string>();
  const submit = (event: Event): void => {
    event.preventDefault();
    begin();
    start(() => run(grant.id, target, setProgress));
  };
  return (
    <form onSubmit={submit} class="inset">
      <p>
        <Sign tone="good" size={16} />{' '}
        <b>
          Granted: {grant.dataset}, snapshot {short(grant.snapshot)}
          {grant.path === '' ? '' : `:${grant.path}`}.
        </b>
      </p>
      <label class="field">
        <span>Into this directory of the host, new or empty</span>
        <input
          value={target}
          required
          pattern="/.+"
          placeholder="/srv/restored"
          onInput={({ currentTarget }) => setTarget(currentTarget.value)}
        />
      </label>
      <button type="submit" class="main" disabled={isBusy}>
        Restore now
      </button>
      <p role="status">{isBusy ? progress || 'Looking for the shards …' : value}</p>
      <Problem text={problem} />
    </form>
  );
}

async function run(id: string, target: string, show: (text: string) => void): Promise<string> {
  const order = { id, target, include: [], exclude: [] };
  let result = 'The restore ended without a summary.';
  for await (const event of lines<RestoreEvent>(
    'v1/restores/run',
    order,
    new AbortController().signal,
  )) {
    if (event.type === 'status') {
      show(
        `${formatSize(event.bytesDone)} of ${formatSize(event.bytesTotal)}, ${event.filesDone} of ${event.filesTotal} files`,
      );
    } else if (event.type === 'summary') {
      const { files, bytes, filesLost, problems, sites } = event.summary;
      result =
        `Restored ${files} files, ${formatSize(bytes)}, from ${sites.join(', ')} to ${target}. ` +
        (filesLost + problems === 0
          ? 'Everything is verified.'
          : `${filesLost} files lost, ${problems} problems.`);
    }
  }
  return result;
}
