import { useRef, useState } from 'preact/hooks';
import type { DatasetStatus, StatusReport } from '../../../agent/api.ts';
import type { KitDrillRequest, KitLine } from '../../../agent/kit-types.ts';
import { formatSize } from '../../../base/quantity.ts';
import {
  type DrillWish,
  isSandboxOnly,
  needsKit,
  scenarioChoices,
  wishCommand,
} from '../../model/drill-wish.ts';
import { lines } from '../api.ts';
import { useAction } from './ask.ts';
import { Command } from './command.tsx';
import { useKitFile } from './kit.tsx';
import { Problem } from './problem.tsx';

/** Starts a drill, and tells how it goes. */
export function DrillForm({ status }: { status: StatusReport }) {
  const { datasets } = status;
  const [changed, change] = useState<Partial<DrillWish>>({});
  const [kit, KitField] = useKitFile();
  const [steps, setSteps] = useState<readonly string[]>([]);
  const { value, problem, isBusy, start } = useAction<string>();
  const running = useRef<AbortController>(null);
  const first = datasets[0]?.name;
  if (first === undefined) {
    return (
      <section class="card">
        <p>There is nothing to rehearse yet: no dataset was backed up.</p>
      </section>
    );
  }
  const wish: DrillWish = { ...noWish, dataset: first, ...changed, kit };
  const choose = (part: Partial<DrillWish>): void => change((before) => ({ ...before, ...part }));
  const submit = (event: Event): void => {
    event.preventDefault();
    const stop = new AbortController();
    running.current = stop;
    setSteps([]);
    const show = (text: string, isLasting: boolean): void =>
      setSteps((before) => (isLasting ? [...before, text] : [...lasting(before), `… ${text}`]));
    start(() => drill(requestOf(wish), show, stop.signal));
  };
  const isReady = (kit !== '' || !needsKit(wish)) && (wish.scenario !== 'file' || wish.path !== '');
  return (
    <section class="card" aria-labelledby="run">
      <h2 id="run">Rehearse now</h2>
      <form onSubmit={submit}>
        <Choices wish={wish} datasets={datasets} choose={choose} />
        {wish.scenario === 'site-loss' && !wish.isSandbox && (
          <LostSites sites={status.sites.map(({ site }) => site)} wish={wish} choose={choose} />
        )}
        {KitField()}
        <button type="submit" class="main" disabled={isBusy || !isReady}>
          Run the drill
        </button>
        {isBusy && (
          <button type="button" onClick={() => running.current?.abort()}>
            Stop it
          </button>
        )}
      </form>
      <Going steps={steps} isBusy={isBusy} result={value} />
      <Problem text={problem} />
      <p class="quiet">
        {needsKit(wish)
          ? 'Only the kit opens backups, so this drill needs it; it stays on that host. The same there: '
          : 'Needs no kit; with one, the made-up files have the sizes of the real ones. The same at a terminal: '}
        <Command text={wishCommand(wish)} />
      </p>
    </section>
  );
}

const noWish: Omit<DrillWish, 'dataset' | 'kit'> = {
  scenario: 'dataset',
  path: '',
  without: [],
  isSandbox: false,
};

type ChoiceProps = {
  wish: DrillWish;
  datasets: readonly DatasetStatus[];
  choose: (part: Partial<DrillWish>) => void;
};

function Choices({ wish, datasets, choose }: ChoiceProps) {
  const chosen = scenarioChoices.find(({ kind }) => kind === wish.scenario);
  return (
    <>
      <label class="field">
        <span>Scenario</span>
        <select
          value={wish.scenario}
          onChange={({ currentTarget }) => {
            const found = scenarioChoices.find(({ kind }) => kind === currentTarget.value);
            if (found === undefined) return;
            choose({ scenario: found.kind, isSandbox: isSandboxOnly(found.kind) });
          }}
        >
          {scenarioChoices.map(({ kind, title }) => (
            <option key={kind} value={kind}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Dataset</span>
        <select
          value={wish.dataset}
          onChange={({ currentTarget }) => choose({ dataset: currentTarget.value })}
        >
          {datasets.map(({ id, name }) => (
            <option key={id}>{name}</option>
          ))}
        </select>
      </label>
      {wish.scenario === 'file' && (
        <label class="field">
          <span>Path in the dataset</span>
          <input
            value={wish.path}
            placeholder="/srv/web/config"
            onInput={({ currentTarget }) => choose({ path: currentTarget.value })}
          />
        </label>
      )}
      <label class="check">
        <input
          type="checkbox"
          checked={wish.isSandbox}
          disabled={isSandboxOnly(wish.scenario)}
          onChange={({ currentTarget }) => choose({ isSandbox: currentTarget.checked })}
        />
        <span>In a sandbox: a cluster of its own on the agent's host, with made-up data</span>
      </label>
      <p>{wish.isSandbox ? chosen?.sandbox : chosen?.live}</p>
    </>
  );
}

function LostSites(props: {
  sites: readonly string[];
  wish: DrillWish;
  choose: ChoiceProps['choose'];
}) {
  const { sites, wish, choose } = props;
  return (
    <fieldset>
      <legend>Which sites count as lost? None chosen: the one where the dataset is made</legend>
      {sites.map((site) => (
        <label key={site} class="check">
          <input
            type="checkbox"
            checked={wish.without.includes(site)}
            onChange={({ currentTarget }) =>
              choose({
                without: currentTarget.checked
                  ? [...wish.without, site]
                  : wish.without.filter((one) => one !== site),
              })
            }
          />
          <span>{site}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Going(props: { steps: readonly string[]; isBusy: boolean; result: string | undefined }) {
  const { steps, isBusy, result } = props;
  return (
    <div role="status">
      {steps.length > 0 && (
        <ol class="going">
          {steps.map((text, i) => (
            <li key={i}>{text}</li>
          ))}
        </ol>
      )}
      {isBusy && steps.length === 0 && <p>Opening …</p>}
      {result !== undefined && <p>{result}</p>}
    </div>
  );
}

/** Without the line that only says how far it has come. */
function lasting(steps: readonly string[]): readonly string[] {
  return steps.at(-1)?.startsWith('… ') === true ? steps.slice(0, -1) : steps;
}

function requestOf({ scenario, dataset, kit, path, without, isSandbox }: DrillWish) {
  const request: KitDrillRequest = {
    scenario,
    dataset,
    ...(kit === '' ? {} : { kit }),
    ...(scenario === 'file' && !isSandbox ? { path } : {}),
    ...(scenario === 'site-loss' && !isSandbox && without.length > 0
      ? { without: [...without] }
      : {}),
    ...(isSandbox ? { isSandbox } : {}),
  };
  return request;
}

async function drill(
  order: KitDrillRequest,
  show: (text: string, isLasting: boolean) => void,
  signal: AbortSignal,
): Promise<string> {
  let result = 'The drill ended without a report.';
  try {
    for await (const line of lines<KitLine>('v1/kit/drill', order, signal)) {
      if (line.type === 'step') show(String(line.text), true);
      if (line.type === 'status') {
        const [done, total] = [Number(line.bytes_done ?? 0), Number(line.bytes_total ?? 0)];
        show(`${String(line.phase)}: ${formatSize(done)} of ${formatSize(total)}`, false);
      }
      if (line.type === 'summary')
        result = 'Done: the report was signed, and stands first in the list below.';
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    return 'Stopped: nothing was signed, and what was staged is removed.';
  }
  return result;
}
