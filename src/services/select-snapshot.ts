import { HoldfastError } from '../core/errors.ts';
import type { DatasetId, StatementHash } from '../core/ids.ts';
import { shortId } from '../core/ids.ts';

/** What choosing a snapshot needs to know of each. */
export type SnapshotChoice = {
  readonly id: StatementHash;
  readonly dataset: DatasetId;
  readonly datasetName: string;
  /** Of snapshots in the dataset. */
  readonly sequence: number;
  /** What the source said; orders snapshots of different datasets, for lack of anything better. */
  readonly timeMs: number;
};

export type SelectOptions<Choice extends SnapshotChoice> = {
  /** Only snapshots of this dataset; a name, or the start of an id. */
  readonly datasetName?: string | undefined;
  /** Whether a snapshot is complete enough to be the latest: placed or committed. */
  readonly isUsable: (choice: Choice) => boolean;
};

export type Selected<Choice> = {
  readonly snapshot: Choice;
  /** What a person should know about the choice. */
  readonly notices: readonly string[];
};

const prefixMin = 4;
const candidatesShownMax = 8;

/**
 * The snapshot that a text names: `latest`, or at least 4 hexadecimal characters that its id starts with.
 * @throws HoldfastError not-found | ambiguous | usage
 */
export function selectSnapshot<Choice extends SnapshotChoice>(
  choices: readonly Choice[],
  text: string,
  options: SelectOptions<Choice>,
): Selected<Choice> {
  const { datasetName } = options;
  const eligible =
    datasetName === undefined
      ? choices
      : choices.filter((choice) => isOfDataset(choice, datasetName));
  if (text === 'latest') return latest(eligible, options);
  if (!/^[0-9a-fA-F]+$/.test(text) || text.length < prefixMin || text.length > 64) {
    throw new HoldfastError(
      'usage',
      `${JSON.stringify(text)} names no snapshot: give "latest", or ${prefixMin} or more characters of an id`,
      { next: 'holdfast snapshots' },
    );
  }
  return { snapshot: byPrefix(eligible, text.toLowerCase(), datasetName), notices: [] };
}

function isOfDataset(choice: SnapshotChoice, name: string): boolean {
  if (choice.datasetName === name) return true;
  return name.length >= prefixMin && choice.dataset.startsWith(name.toLowerCase());
}

function byPrefix<Choice extends SnapshotChoice>(
  choices: readonly Choice[],
  prefix: string,
  datasetName: string | undefined,
): Choice {
  const found = choices.filter(({ id }) => id.startsWith(prefix));
  const [only, second] = found;
  if (only === undefined)
    throw notFound(`no snapshot has an id that starts with ${prefix}`, datasetName);
  if (second === undefined) return only;
  const shown = found
    .slice(0, candidatesShownMax)
    .map(({ id, datasetName: of }) => `${id.slice(0, 16)} (${of})`);
  const rest = found.length > shown.length ? ` and ${found.length - shown.length} more` : '';
  throw new HoldfastError('ambiguous', `${prefix} fits ${shown.join(', ')}${rest}`, {
    next: 'give more characters of the id',
    details: { prefix, count: found.length },
  });
}

/** The newest usable one; the newest of all only when none is usable. */
function latest<Choice extends SnapshotChoice>(
  choices: readonly Choice[],
  { datasetName, isUsable }: SelectOptions<Choice>,
): Selected<Choice> {
  const newest = newestOf(choices);
  if (newest === undefined) throw notFound('there is no snapshot', datasetName);
  const snapshot = newestOf(choices.filter(isUsable)) ?? newest;
  const notices: string[] = [];
  if (!isUsable(snapshot)) {
    notices.push(`no snapshot is complete yet: ${shortId(snapshot.id)} may lack data`);
  }
  const ofDataset = newestOf(choices.filter(({ dataset }) => dataset === snapshot.dataset));
  if (ofDataset !== undefined && ofDataset !== snapshot) {
    const [newer, used] = [shortId(ofDataset.id), shortId(snapshot.id)];
    notices.push(`${newer} is newer but not complete yet; using ${used}`);
  }
  const datasets = new Set(choices.map(({ dataset }) => dataset)).size;
  if (datasets > 1) {
    notices.push(`of ${datasets} datasets, ${snapshot.datasetName} has the latest snapshot`);
  }
  return { snapshot, notices };
}

/** Within a dataset its sequence counts, since a source's clock may have been set back; between them, time. */
function newestOf<Choice extends SnapshotChoice>(choices: readonly Choice[]): Choice | undefined {
  let newest: Choice | undefined;
  for (const ofDataset of Map.groupBy(choices, ({ dataset }) => dataset).values()) {
    const last = ofDataset.reduce((a, b) => (b.sequence > a.sequence ? b : a));
    if (newest === undefined || last.timeMs > newest.timeMs) newest = last;
  }
  return newest;
}

function notFound(what: string, datasetName: string | undefined): HoldfastError {
  const where = datasetName === undefined ? '' : ` in dataset ${datasetName}`;
  return new HoldfastError('not-found', `${what}${where}`, { next: 'holdfast snapshots' });
}
