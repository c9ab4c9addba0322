import { join } from 'node:path';
import { formatSize } from '../../src/base/quantity.ts';
import type { BenchArguments } from './arguments.ts';
import { type Corpus, openCorpus } from './corpus.ts';
import { machineWords } from './machine.ts';
import { requireOpponents } from './opponents.ts';
import { BenchProgress } from './progress.ts';
import { linesOf, tableOf, writePart, writePlot } from './report.ts';
import { rows } from './rows.ts';
import { Session } from './session.ts';
import { openSftpServer } from './sftp-server.ts';
import { median, short } from './statistics.ts';

/** Our agents against other tools, in turn, in one session. */
export async function macro(options: BenchArguments, signal: AbortSignal): Promise<void> {
  if (options.only.includes('list')) return list();
  const wanted = new Set(wantedRows(options.only).flatMap(({ steps }) => steps));
  const versions = requireOpponents(options.against);
  console.error(`corpus in ${options.corpus} ...`);
  const corpus = openCorpus(options.corpus, options.scale);
  const needsSftp = ['sites-first', 'sites-restore'].some((step) => wanted.has(step));
  await using stack = new AsyncDisposableStack();
  const sftp =
    needsSftp && options.against.includes('restic')
      ? stack.use(await openSftpServer(join(options.work, 'ssh')))
      : undefined;
  const steps = wanted.size * options.runs * (1 + options.against.length);
  const progress = new BenchProgress(steps);
  const { against, settleS, work } = options;
  const wants = (step: string): boolean => wanted.has(step);
  const session = new Session({ corpus, work, against, wants, settleS, sftp, progress, signal });
  const facts = [
    `Measured on ${machineWords(work)}; ${[...versions.values()].join('; ')}.`,
    corpusWords(corpus),
    sftp === undefined ? '' : `restic to several sites: ${sftp.words}.`,
  ];
  const report = (runs: number): string => {
    const bytes = { tree: corpus.treeBytes, file: corpus.fileBytes };
    const lines = linesOf(session.results, against, bytes).filter(({ row }) =>
      row.steps.every(wants),
    );
    const text = [tableOf(lines), ...facts, runWords(session, runs), delayWords(session)]
      .filter((part) => part !== '')
      .join('\n\n');
    if (options.report !== undefined) {
      writePart(options.report, 'macro', `${text}\n\n![ratios](performance.svg)`);
      writePlot(options.report, lines);
    }
    return text;
  };
  let text = '';
  for (let run = 1; run <= options.runs; run++) {
    await session.run();
    // After each of them: a session that is cut off leaves what its runs have shown.
    text = report(run);
  }
  progress.end();
  console.log(text);
}

function list(): void {
  for (const { id, title } of rows) console.log(`${id.padEnd(16)} ${title}`);
}

function wantedRows(only: readonly string[]): typeof rows {
  for (const id of only) {
    if (!rows.some((row) => row.id === id)) throw new Error(`no row ${id}: --only list names them`);
  }
  return only.length === 0 ? rows : rows.filter(({ id }) => only.includes(id));
}

function corpusWords({ treeFiles, treeBytes, fileBytes }: Corpus): string {
  const files = treeFiles.toLocaleString('en-US');
  return `Tree: ${files} files, ${formatSize(treeBytes)}. File: ${formatSize(fileBytes)}.`;
}

function runWords({ results }: Session, runs: number): string {
  const foreign = [...results.values()].flat().map(({ foreignCores }) => foreignCores);
  const load = `others used ${short(median(foreign))} cores meanwhile (at most ${short(Math.max(...foreign))})`;
  return runs === 1
    ? `One run; ${load}.`
    : `Medians of ${runs} interleaved runs, smallest and largest beside them; ${load}.`;
}

function delayWords({ results }: Session): string {
  const delays = [...results.values()].flat().flatMap(({ loopDelayMs }) => loopDelayMs ?? []);
  if (delays.length === 0) return '';
  return `Event-loop delay of the agent during backups, 99th percentile: ${short(median(delays))} ms (at most ${short(Math.max(...delays))}).`;
}
