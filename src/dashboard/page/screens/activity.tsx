import { useState } from 'preact/hooks';
import type { AuditHead, AuditLine, AuditVerdict } from '../../../agent/audit-types.ts';
import { auditLines, verdictWords } from '../../model/audit.ts';
import { type Tone, when } from '../../model/words.ts';
import { call } from '../api.ts';
import type { ScreenProps } from '../app.tsx';
import { useAction, useAnswer } from '../parts/ask.ts';
import { Pager } from '../parts/pager.tsx';
import { Problem } from '../parts/problem.tsx';
import { Sign } from '../parts/sign.tsx';
import { Table } from '../parts/table.tsx';

const pageSize = 100;

/** What happened at this host, and whether the record of it is whole. */
export function ActivityScreen({ feed }: ScreenProps) {
  const [page, setPage] = useState(0);
  // A minute is new enough for a record of what was.
  const minute = Math.floor(feed.timeMs / 60_000);
  const { value, problem } = useAnswer(() => readPage(page), [page, minute]);
  return (
    <>
      <Check name={feed.topics.status?.agent.name ?? ''} />
      <section class="card" aria-labelledby="entries">
        <h2 id="entries">Audit log of this host, newest first</h2>
        <Problem text={problem} />
        {value !== undefined && (
          <>
            <Table label="entries" columns={['No.', 'When', 'Who', 'What', 'Outcome', 'Detail']}>
              {value.entries.map((entry) => (
                <Entry key={entry.index} entry={entry} />
              ))}
            </Table>
            <Pager page={page} size={pageSize} total={value.total} change={setPage} />
          </>
        )}
      </section>
    </>
  );
}

async function readPage(page: number): Promise<{ entries: AuditLine[]; total: number }> {
  const { size } = await call<AuditHead>('GET', 'v1/audit');
  const end = Math.max(0, size - page * pageSize);
  const from = Math.max(0, end - pageSize);
  if (end === from) return { entries: [], total: size };
  const { entries } = await call<{ entries: string[] }>('POST', 'v1/audit/entries', {
    from,
    count: end - from,
  });
  return { entries: auditLines(entries, from), total: size };
}

const tones: Record<AuditLine['outcome'], Tone> = { done: 'good', refused: 'warn', failed: 'bad' };

function Entry({ entry }: { entry: AuditLine }) {
  return (
    <tr>
      <th scope="row" class="number">
        {entry.index}
      </th>
      <td>{when(entry.timeMs)}</td>
      <td>{entry.actor}</td>
      <td class="wrap">
        <b>{entry.action}</b> {entry.subject}
        {entry.count > 1 ? ` (${entry.count} times)` : ''}
      </td>
      <td>
        <Sign tone={tones[entry.outcome]} size={16} /> {entry.outcome}
      </td>
      <td class="wrap">{entry.detail}</td>
    </tr>
  );
}

function Check({ name }: { name: string }) {
  const { value, problem, isBusy, start } = useAction<AuditVerdict>();
  const verdict = value === undefined ? undefined : verdictWords(value);
  return (
    <section class="card" aria-labelledby="chain">
      <h2 id="chain">Is the record whole?</h2>
      <p>
        Reads the whole log again, hash by hash, and asks every other member what it remembers of
        it.
      </p>
      <button
        type="button"
        class="main"
        disabled={isBusy}
        onClick={() => start(() => call('POST', 'v1/audit/verify'))}
      >
        {isBusy ? 'Checking …' : `Check the log of ${name}`}
      </button>
      <Problem text={problem} />
      <div role="status">
        {value !== undefined && verdict !== undefined && (
          <>
            <p class={`answer ${verdict.tone}`}>
              <Sign tone={verdict.tone} size={28} /> <b>{verdict.words}</b>
            </p>
            <Table label="chain" columns={['Member', 'Site', 'Remembers', 'Up to entry']}>
              {value.members.map((member) => (
                <tr key={member.name}>
                  <th scope="row">{member.name}</th>
                  <td>{member.site}</td>
                  <td>{member.state.replace('-', ' ')}</td>
                  <td>{member.size}</td>
                </tr>
              ))}
            </Table>
          </>
        )}
      </div>
    </section>
  );
}
