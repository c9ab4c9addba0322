import type { RestoreGrantReport } from '../../../agent/grant-types.ts';
import type { PlanReport, PlanStepReport } from '../../../agent/plan-types.ts';
import { formatSpan } from '../../../base/quantity.ts';
import { graphOf, nodeSize } from '../../model/graph.ts';
import { ago, shellWord, short, type Tone } from '../../model/words.ts';
import type { ScreenProps } from '../app.tsx';
import { Command } from '../parts/command.tsx';
import { RestoreForm } from '../parts/restore-form.tsx';
import { Sign } from '../parts/sign.tsx';
import { Table } from '../parts/table.tsx';
import { linkTo } from '../route.ts';

/** Restores that are under way, and how to start one. */
export function RestoreScreen({ feed, rest }: ScreenProps) {
  const { plans = [], restores = [], coordinator } = feed.topics;
  const newest = plans.toReversed();
  const chosen = newest.find(({ hash }) => hash === rest[0]) ?? newest.find(isActive) ?? newest[0];
  return (
    <>
      <section class="card" aria-labelledby="plan">
        <h2 id="plan">Restore plans</h2>
        {chosen === undefined ? (
          <>
            <p>
              No restore plan was made yet. A plan brings datasets up at another site, step by step:
            </p>
            <Command text="holdfast restore plan DATASET --to SITE -o plan.json" />
          </>
        ) : (
          <>
            {plans.length > 1 && (
              <ul class="sites">
                {newest.map((plan) => (
                  <li key={plan.hash}>
                    <a
                      href={linkTo('restore', plan.hash)}
                      aria-current={plan === chosen ? 'true' : undefined}
                    >
                      <Sign tone={planTone(plan)} size={16} /> {plan.name}{' '}
                      <span class="quiet">{plan.state}</span>
                    </a>
                  </li>
                ))}
              </ul>
            )}
            <Plan plan={chosen} nowMs={feed.timeMs} />
          </>
        )}
      </section>
      <Grants restores={restores.toReversed()} logTimeMs={coordinator?.logTimeMs ?? 0} />
      <RestoreForm feed={feed} />
    </>
  );
}

function isActive({ state }: PlanReport): boolean {
  return (
    state === 'running' || state === 'rolling-back' || state === 'escalated' || state === 'ready'
  );
}

function planTone({ state }: PlanReport): Tone {
  if (state === 'done') return 'good';
  return state === 'failed' || state === 'escalated'
    ? 'bad'
    : state === 'cancelled'
      ? 'idle'
      : 'warn';
}

function Plan({ plan, nowMs }: { plan: PlanReport; nowMs: number }) {
  const { fence } = plan;
  const graph = graphOf(plan.steps);
  const done = plan.steps.filter(({ state }) => state === 'done').length;
  return (
    <>
      <p class={`answer ${planTone(plan)}`} role="status">
        <Sign tone={planTone(plan)} size={28} />{' '}
        <b>
          {plan.name}: {plan.state}, {done} of {plan.steps.length} steps done
        </b>
      </p>
      <dl class="facts">
        <div>
          <dt>Target</dt>
          <dd>site {plan.site}</dd>
        </div>
        <div>
          <dt>Run</dt>
          <dd>{plan.run}</dd>
        </div>
        <div>
          <dt>Coordinator</dt>
          <dd>{plan.coordinator ?? 'nobody now'}</dd>
        </div>
        <div>
          <dt>Fence</dt>
          <dd>{fence === undefined ? 'none yet' : `${fence.generation}.${fence.index}`}</dd>
        </div>
        <div>
          <dt>Keys granted to</dt>
          <dd>{plan.granted.length === 0 ? 'nobody yet' : plan.granted.join(', ')}</dd>
        </div>
        <div>
          <dt>Signed by</dt>
          <dd>{plan.authors.join(', ')}</dd>
        </div>
        <div>
          <dt>Hash</dt>
          <dd class="mono">{short(plan.hash)}</dd>
        </div>
      </dl>
      <div class="map">
        <svg
          width={graph.width}
          height={graph.height}
          role="img"
          aria-label="Steps of the plan; the table below says the same"
        >
          {graph.edges.map(({ d, isPassed }) => (
            <path key={d} class={`path ${isPassed ? 'direct' : 'coming'}`} d={d} />
          ))}
          {graph.nodes.map(({ step, tone, x, y }) => (
            <g
              key={step.id}
              class={`step ${tone}${step.state === 'started' ? ' busy' : ''}`}
              transform={`translate(${x} ${y})`}
            >
              <rect width={nodeSize.width} height={nodeSize.height} rx="9" />
              <text class="name" x="12" y="22">
                {cut(`${step.kind}: ${step.id}`, 27)}
              </text>
              <text x="12" y="43">
                {step.state}
                {step.attempt > 1 ? `, attempt ${step.attempt} of ${step.attemptsMax}` : ''}
              </text>
              <text x="12" y="64">
                {cut(`on ${step.worker ?? step.on}`, 29)}
              </text>
            </g>
          ))}
        </svg>
      </div>
      <Table label="plan" columns={['Step', 'State', 'What', 'On', 'Since', 'Detail']}>
        {plan.steps.map((step) => (
          <StepRow key={step.id} step={step} nowMs={nowMs} />
        ))}
      </Table>
      <p>
        <Command text={`holdfast restore status ${shellWord(plan.name)}`} />
      </p>
    </>
  );
}

function StepRow({ step, nowMs }: { step: PlanStepReport; nowMs: number }) {
  const tones: Record<PlanStepReport['state'], Tone> = {
    waiting: 'idle',
    started: 'warn',
    done: 'good',
    failed: 'bad',
    undone: 'idle',
    escalated: 'bad',
  };
  return (
    <tr>
      <th scope="row">{step.id}</th>
      <td>
        <Sign tone={tones[step.state]} size={16} /> {step.state}
      </td>
      <td class="wrap">{step.words}</td>
      <td>{step.worker ?? step.on}</td>
      <td>{step.timeMs === undefined ? '–' : ago(nowMs - step.timeMs)}</td>
      <td class="wrap">{step.detail}</td>
    </tr>
  );
}

function cut(text: string, lengthMax: number): string {
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 1)}…` : text;
}

const grantTones: Partial<Record<RestoreGrantReport['state'], Tone>> = {
  denied: 'bad',
  failed: 'bad',
  used: 'good',
  withdrawn: 'idle',
  revoked: 'idle',
  expired: 'idle',
};

function Grants({
  restores,
  logTimeMs,
}: {
  restores: readonly RestoreGrantReport[];
  logTimeMs: number;
}) {
  if (restores.length === 0) return null;
  return (
    <section class="card" aria-labelledby="grants">
      <h2 id="grants">Restores that were asked for</h2>
      <Table
        label="grants"
        columns={['Request', 'State', 'Dataset', 'For host', 'Reason', 'Signed by', 'Ends', 'Next']}
      >
        {restores.map((one) => (
          <tr key={one.id}>
            <th scope="row" class="mono">
              {short(one.id)}
            </th>
            <td>
              <Sign tone={grantTones[one.state] ?? 'warn'} size={16} /> {one.state}
            </td>
            <td>
              {one.dataset}{' '}
              <span class="quiet">
                {short(one.snapshot)}
                {one.path === '' ? '' : `:${one.path}`}
              </span>
            </td>
            <td>{one.agent}</td>
            <td class="wrap">{one.reason}</td>
            <td>
              {one.approvals.length} of {one.needed}
              {one.approvals.length > 0 ? `: ${one.approvals.join(', ')}` : ''}
            </td>
            <td>
              {one.endsMs === undefined || one.endsMs < logTimeMs
                ? '–'
                : `in ${formatSpan(one.endsMs - logTimeMs)}`}
            </td>
            <td>{nextOf(one)}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function nextOf({ state, id, isHere, agent }: RestoreGrantReport) {
  if (state === 'requested') return <Command text={`holdfast approve ${short(id)}`} />;
  if (state === 'approved')
    return <Command text={`holdfast restore grant ${short(id)} --kit FILE`} />;
  if (state !== 'granted' && state !== 'in-use') return null;
  return isHere ? <span>restore it below</span> : <span>go on at {agent}</span>;
}
