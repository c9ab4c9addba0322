import type { ControlBody, SnapshotSelection } from '../core/format/control-records.ts';
import { type AgentKey, shortId } from '../core/ids.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import { keyWords } from './key-words.ts';

/** What a command does, in one line for those who shall sign it. */
export function commandWords(state: ControlState, body: ControlBody): string {
  const name = (agent: AgentKey): string => state.members.record(agent)?.name ?? shortId(agent);
  switch (body.kind) {
    case 'layout':
      return body.mode === 'auto'
        ? `layout ${body.version}: the coordinator chooses the voters`
        : `layout ${body.version}: voters are ${body.voters.map(name).join(', ')}`;
    case 'policy':
      return `policy ${body.version} in the place of ${body.base}`;
    case 'plan':
      return `begin restore plan ${body.hash.slice(0, 12)}`;
    case 'plan-decision':
      return `${body.decision} run ${body.run} of plan ${body.plan.slice(0, 12)}`;
    case 'grant':
      return grantWords(state, body, name(body.agent));
    case 'restore-request': {
      const what = body.path === '' ? 'all' : body.path;
      return `let ${name(body.agent)} restore ${what} of snapshot ${shortId(body.snapshot)} of ${body.name}: ${body.reason}`;
    }
    case 'isolate':
      return `attest that ${name(body.agent)} is powered off or cut off: ${body.reason}`;
    case 'reinstate':
      return `let ${name(body.agent)} write dataset ${shortId(body.dataset)} again`;
    case 'roles': {
      const changes = [
        ...body.add.map((role) => `+${role}`),
        ...body.remove.map((role) => `-${role}`),
      ];
      return `roles of ${name(body.agent)}: ${changes.join(' ')}`;
    }
    case 'invite':
      return `invite one host: site ${body.site}, region ${body.region}, as ${body.roles.join(', ')}, through ${name(body.issuer)}, until ${new Date(body.notAfterMs).toISOString()}`;
    case 'expel':
      return `put ${name(body.agent)} out of the cluster: ${body.reason}`;
    case 'format':
      return `format ${body.version} of the control log: hosts that do not know it stop applying it`;
    case 'operators':
      return operatorsWords(state, body);
    case 'keys':
    case 'key-destroy':
    case 'split':
      return keyWords(body, name);
    case 'forget':
      return `let go ${selectionWords(body, name)}`;
    case 'undelete':
      return `keep ${selectionWords(body, name)}`;
    case 'unlock':
      return `end the governance locks of ${selectionWords(body, name)}`;
    case 'release':
      return releaseWords(state, body);
    default:
      return body.kind;
  }
}

function selectionWords(
  { dataset, writer, ranges, reason }: SnapshotSelection,
  nameOf: (agent: AgentKey) => string,
): string {
  const numbers = ranges.map(({ first, last }) =>
    first === last ? `${first}` : `${first}-${last}`,
  );
  const which = `snapshot ${numbers.join(', ')} of dataset ${shortId(dataset)} at ${nameOf(writer)}`;
  return reason === '' ? which : `${which}: ${reason}`;
}

/** A hold that has ended, as when two proposals ask for the same, is known by its id alone. */
function releaseWords(
  { holds }: ControlState,
  { hold: id, reason }: Extract<ControlBody, { kind: 'release' }>,
): string {
  const hold = holds.all().find((one) => one.id === id);
  const what = hold === undefined ? '' : ` on dataset ${shortId(hold.dataset)} (${hold.reason})`;
  return `end hold ${id.slice(0, 8)}${what}: ${reason}`;
}

function operatorsWords(
  state: ControlState,
  { operators, threshold, version, base }: Extract<ControlBody, { kind: 'operators' }>,
): string {
  const { history, current } = state.operators;
  const before = history.find(({ value }) => value.version === base)?.value ?? current;
  const isIn = (list: typeof operators, key: AgentKey): boolean =>
    list.some((one) => one.key === key);
  const added = operators.filter(({ key }) => !isIn(before.operators, key));
  const removed = before.operators.filter(({ key }) => !isIn(operators, key));
  const changes = [
    ...added.map((one) => `add ${one.name} (${shortId(one.key)})`),
    ...removed.map((one) => `remove ${one.name} (${shortId(one.key)})`),
    `${threshold} of ${operators.length} must sign`,
  ];
  return `operators ${version}: ${changes.join(', ')}`;
}

function grantWords(
  state: ControlState,
  grant: Extract<ControlBody, { kind: 'grant' }>,
  agent: string,
): string {
  const { plan } = state.plans.runOf(grant)?.record ?? {};
  const datasets = plan?.datasets.map(({ name }) => name).join(', ') ?? 'what is not known here';
  return `let ${agent} open ${datasets} for run ${grant.run} of plan ${grant.plan.slice(0, 12)}`;
}
