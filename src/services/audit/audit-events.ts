import { codeOf } from '../../core/errors.ts';
import { openCommand } from '../../core/format/control-envelope.ts';
import { decodeCommand } from '../../core/format/control-command.ts';
import type { BodyOf, ControlBody } from '../../core/format/control-records.ts';
import { type AgentKey, type ClusterId, shortId } from '../../core/ids.ts';
import { openStatement } from '../../core/protocol/opened-statement.ts';
import { isOperatorsBody } from '../../core/protocol/control/operators-change.ts';
import type { AppliedCommand, ControlAccess } from '../control/control-access.ts';
import type { Audit } from './audit-log.ts';

/** Said so often by machines that they would hide what people decide; forgeries are not silent. */
const silent: ReadonlySet<ControlBody['kind']> = new Set(['time', 'anchor', 'assign', 'lease']);

/** What one operator is enough for. */
const operatorSaid: ReadonlySet<ControlBody['kind']> = new Set([
  'thaw',
  'hold',
  'undelete',
  'clear-quarantine',
  'clear-suspect',
  'plan-decision',
  'abandon',
  'propose',
  'approve',
  'deny',
]);

export type DecisionAuditOptions = {
  readonly cluster: ClusterId;
  readonly control: Pick<ControlAccess, 'onApplied'>;
  readonly isOperator: (key: AgentKey) => boolean;
  /** A void command that only operators may say, and that none has signed. */
  readonly onUsurped?: (command: UsurpedCommand, kind: string, reason: string) => void;
  /** A voter has put a snapshot into the log in a writer's name that the writer has not signed. */
  readonly onForged?: (signers: readonly string[], reason: string) => void;
  readonly audit: Audit;
  /** The newest decision that the log tells of: after a start, entries are applied again. */
  readonly last: LogPlace | undefined;
  /** A member or an operator, as people know it. */
  readonly nameOf: (key: AgentKey) => string;
};

export type UsurpedCommand = { readonly signers: readonly string[]; readonly place: string };

type LogPlace = { readonly generation: number; readonly index: number };

/** Takes down what the control log decides, with those who have signed it. Returns a function that stops it. */
export function auditDecisions(options: DecisionAuditOptions): () => void {
  const { control, audit, nameOf } = options;
  let last = options.last ?? { generation: 0, index: 0 };
  return control.onApplied((command) => {
    const isForged = isForgery(command, options.cluster);
    if (!isAfter(command, last) || (silent.has(command.body.kind) && !isForged)) return;
    last = { generation: command.generation, index: command.index };
    const { body, outcome, generation, index } = command;
    const keys = signers(command, options.cluster);
    const names = keys.map(nameOf);
    audit({
      kind: 'decision',
      actor: names.length === 0 ? 'nobody: its signatures do not hold' : names.join(', '),
      action: body.kind,
      subject: `entry ${generation}/${index}`,
      outcome: outcome.outcome === 'applied' ? 'done' : 'refused',
      detail: outcome.outcome === 'applied' ? wordsOf(body) : outcome.reason,
    });
    const isUsurped = isForOperators(body) && !keys.some(options.isOperator);
    if (outcome.outcome === 'applied') return;
    if (isForged) options.onForged?.(names, outcome.reason);
    if (!isUsurped) return;
    const usurped = { signers: names, place: `${generation}/${index}` };
    options.onUsurped?.(usurped, body.kind, outcome.reason);
  });
}

/** The place that `auditDecisions` has written as a subject. */
export function decisionPlace(subject: string): LogPlace | undefined {
  const match = /^entry (\d+)\/(\d+)$/.exec(subject);
  if (match === null) return undefined;
  return { generation: Number(match[1]), index: Number(match[2]) };
}

function isAfter(a: LogPlace, b: LogPlace): boolean {
  return a.generation > b.generation || (a.generation === b.generation && a.index > b.index);
}

/** Whether it anchors what its writer has not signed: anchors that merely came late are void as well. */
function isForgery({ body, outcome }: AppliedCommand, cluster: ClusterId): boolean {
  if (body.kind !== 'anchor' || outcome.outcome === 'applied') return false;
  return body.manifests.some((envelope) => {
    try {
      openStatement(envelope, cluster);
      return false;
    } catch (error) {
      return codeOf(error) === 'bad-signature';
    }
  });
}

function isForOperators(body: ControlBody): boolean {
  return isOperatorsBody(body) || operatorSaid.has(body.kind);
}

/** Those whose signatures hold: anybody can write another's key beside bytes that are none. */
function signers({ envelope }: AppliedCommand, cluster: ClusterId): readonly AgentKey[] {
  try {
    return [...openCommand(envelope, cluster).signers] as AgentKey[];
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return [];
  }
}

/** What one operator has tried alone stands here, too, whatever becomes of it. */
function proposedWords({ command }: BodyOf<'propose'>): string {
  try {
    const { body } = decodeCommand(command);
    return `${body.kind}: ${wordsOf(body)}`;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return 'what cannot be read';
  }
}

/** What people will look for. */
function wordsOf(body: ControlBody): string {
  switch (body.kind) {
    case 'layout':
    case 'policy':
      return `version ${body.version}`;
    case 'clear-suspect':
      return `snapshot ${shortId(body.manifest)}: ${body.reason}`;
    case 'isolate':
      return `agent ${shortId(body.agent)}: ${body.reason}`;
    case 'mark':
      return `plan ${body.plan.slice(0, 8)}, step ${body.step}: ${body.outcome}`;
    case 'drain': {
      const { target, isOver } = body;
      const who = 'site' in target ? `site ${target.site}` : `agent ${shortId(target.agent)}`;
      return isOver ? `${who} stays` : `${who} leaves`;
    }
    case 'site-report':
      return `${body.site} ${body.state}`;
    case 'restore-request':
      return `${body.name}, snapshot ${shortId(body.snapshot)}: ${body.reason}`;
    case 'restore-grant':
      return `grant ${body.request.slice(0, 8)}: keys of ${body.packs} packs`;
    case 'restore-use':
      return `grant ${body.request.slice(0, 8)}`;
    case 'restore-end':
      return `grant ${body.request.slice(0, 8)}, ${body.outcome}: ${body.reason}`;
    case 'plan-decision':
      return `plan ${body.plan.slice(0, 8)}: ${body.decision}`;
    case 'propose':
      return proposedWords(body);
    case 'approve':
      return `proposal ${body.hash.slice(0, 8)}`;
    case 'deny':
    case 'veto':
      return `proposal ${body.hash.slice(0, 8)}: ${body.reason}`;
    case 'operators':
      return `version ${body.version}, ${body.threshold} of ${body.operators.length} must sign`;
    case 'roles': {
      const changes = [...body.add.map((one) => `+${one}`), ...body.remove.map((one) => `-${one}`)];
      return `agent ${shortId(body.agent)}: ${changes.join(' ')}`;
    }
    case 'invite':
      return `site ${body.site}, region ${body.region}, as ${body.roles.join(', ')}`;
    case 'format':
      return `format ${body.version}`;
    case 'expel':
      return `agent ${shortId(body.agent)}: ${body.reason}`;
    case 'key-destroy':
      return `epoch ${body.epoch} of dataset ${shortId(body.dataset)}: ${body.reason}`;
    case 'release':
      return `hold ${body.hold.slice(0, 8)}: ${body.reason}`;
    case 'forget':
    case 'unlock':
      return `dataset ${shortId(body.dataset)}: ${body.reason}`;
    default:
      return '';
  }
}
