import type { PolicyReport } from '../../../agent/policy-types.ts';
import type { OperatorsReport, ProposalReport } from '../../../agent/trust-types.ts';
import { formatSpan } from '../../../base/quantity.ts';
import { counted, short, type Tone, when } from '../../model/words.ts';
import { call } from '../api.ts';
import type { ScreenProps } from '../app.tsx';
import { useAnswer } from '../parts/ask.ts';
import { Command } from '../parts/command.tsx';
import { Problem } from '../parts/problem.tsx';
import { Sign } from '../parts/sign.tsx';
import { Table } from '../parts/table.tsx';

/** What the cluster promises, and what waits for people. */
export function PolicyScreen({ feed }: ScreenProps) {
  const { proposals = [], coordinator } = feed.topics;
  const marks = proposals.map(({ hash, state }) => hash + state).join();
  const policy = useAnswer<PolicyReport>(() => call('GET', 'v1/policy'), [marks]);
  const operators = useAnswer<OperatorsReport>(() => call('GET', 'v1/operators'), [marks]);
  return (
    <>
      <Proposals proposals={proposals.toReversed()} logTimeMs={coordinator?.logTimeMs ?? 0} />
      <Problem text={policy.problem ?? operators.problem} />
      {operators.value !== undefined && <Operators report={operators.value} />}
      {policy.value !== undefined && <Policy report={policy.value} />}
    </>
  );
}

const tones: Record<ProposalReport['state'], Tone> = {
  open: 'warn',
  waiting: 'warn',
  done: 'good',
  failed: 'bad',
  denied: 'idle',
  vetoed: 'idle',
  expired: 'idle',
};

function Proposals({
  proposals,
  logTimeMs,
}: {
  proposals: readonly ProposalReport[];
  logTimeMs: number;
}) {
  const open = proposals.filter(({ state }) => state === 'open' || state === 'waiting');
  return (
    <section class="card" aria-labelledby="proposals">
      <h2 id="proposals">
        {open.length === 0
          ? 'Nothing waits for approval'
          : `${counted(open.length, 'decision')} under way`}
      </h2>
      <p class="quiet">
        Operators sign where their keys are, which is never in a browser: compare the hash, then
        type the command there.
      </p>
      {proposals.length > 0 && (
        <Table
          label="proposals"
          columns={['Hash', 'State', 'What', 'Signed', 'Ends', 'To sign it']}
        >
          {proposals.map((one) => (
            <tr key={one.hash}>
              <th scope="row" class="mono">
                {short(one.hash)}
              </th>
              <td>
                <Sign tone={tones[one.state]} size={16} /> {one.state}
              </td>
              <td class="wrap">
                {one.words}
                {one.reason === undefined ? '' : ` (${one.reason})`}
              </td>
              <td>
                {one.approvals.length} of {one.threshold}
                {one.approvals.length > 0
                  ? `: ${one.approvals.map(({ name }) => name).join(', ')}`
                  : ''}
              </td>
              <td>
                {one.endsMs === undefined || one.endsMs < logTimeMs
                  ? '–'
                  : `in ${formatSpan(one.endsMs - logTimeMs)}`}
              </td>
              <td>
                {one.state === 'open' && (
                  <Command text={`holdfast approve sign ${short(one.hash)}`} />
                )}
                {one.state === 'waiting' && (
                  <Command text={`holdfast approve veto ${short(one.hash)} --reason TEXT`} />
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

function Operators({ report }: { report: OperatorsReport }) {
  return (
    <section class="card" aria-labelledby="operators">
      <h2 id="operators">
        Operators: {report.threshold} of {report.operators.length} must sign
      </h2>
      <Table label="operators" columns={['Name', 'Key', 'Can open data']}>
        {report.operators.map(({ name, key, recipient }) => (
          <tr key={key}>
            <th scope="row">{name}</th>
            <td class="mono">{short(key)}</td>
            <td>{recipient === '' ? 'no' : 'yes, by a recipient of their own'}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Policy({ report }: { report: PolicyReport }) {
  const { failover } = report;
  return (
    <section class="card" aria-labelledby="policy">
      <h2 id="policy">Policy, version {report.version}</h2>
      <dl class="facts">
        <div>
          <dt>Sites that may be lost</dt>
          <dd>any {report.surviveSites}</dd>
        </div>
        <div>
          <dt>A site counts as lost after</dt>
          <dd>{formatSpan(failover.siteLostAfterMs)} of silence</dd>
        </div>
        <div>
          <dt>Then</dt>
          <dd>{failover.action === 'alert' ? 'people are told' : failover.action}</dd>
        </div>
        <div>
          <dt>What cannot be undone waits</dt>
          <dd>{formatSpan(report.destructiveDelayMs)}</dd>
        </div>
        <div>
          <dt>A decree is announced</dt>
          <dd>{formatSpan(report.decreeNoticeMs)} before</dd>
        </div>
        <div>
          <dt>Signed by</dt>
          <dd>{report.authors.length === 0 ? 'the founders' : report.authors.join(', ')}</dd>
        </div>
      </dl>
      <details>
        <summary>The document as it was signed</summary>
        <pre tabIndex={0}>{JSON.stringify(report.document, undefined, 2)}</pre>
      </details>
      <details>
        <summary>{counted(report.history.length, 'version')}</summary>
        <ol>
          {report.history.toReversed().map(({ version, authors, timeMs }) => (
            <li key={version} value={version}>
              {timeMs === 0 ? 'as founded' : `${when(timeMs)}, signed by ${authors.join(', ')}`}
            </li>
          ))}
        </ol>
      </details>
      <p>
        <Command text="holdfast policy propose FILE" />
      </p>
    </section>
  );
}
