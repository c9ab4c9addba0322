import { openStateDirectory } from '../../adapters/fs/state-directory.ts';
import { systemClock, systemEntropy } from '../../adapters/system/runtime.ts';
import { toHex } from '../../base/bytes.ts';
import { dayMs } from '../../base/units.ts';
import type { OperatorOptions } from '../../cli/backend.ts';
import { publicKeyOf } from '../../core/crypto/signature.ts';
import { encodeCommand } from '../../core/format/control-command.ts';
import { sealCommand } from '../../core/format/control-envelope.ts';
import type { CommandId, ControlBody, ControlCommand } from '../../core/format/control-records.ts';
import { clusterIdOf } from '../../core/format/genesis.ts';
import type { ClusterId } from '../../core/ids.ts';
import { commandHash } from '../../core/protocol/control/evidence.ts';
import { needsThreshold } from '../../core/protocol/control/operators-change.ts';
import type { AgentApi } from '../api.ts';
import { noQuorum } from '../coordinator-quorum.ts';
import type { CommandReport } from '../coordinator-types.ts';
import type { OperatorsReport } from '../trust-types.ts';
import { stateFiles } from './identity.ts';
import { operatorSecrets } from './operator-keys.ts';
import { refuseTwin } from './proposal-twin.ts';

/** How long a proposal waits for signatures when nobody says otherwise. */
const proposalLastsMs = 7 * dayMs;

/**
 * Signs a command here, with the operators' keys, and has the running agent put it into the control log: the
 * agent never sees a key. With fewer keys than must sign it becomes a proposal for the others.
 * @throws HoldfastError key-needed | wrong-key | no-quorum | bad-encoding
 */
export async function submitAsOperator(
  options: OperatorOptions & { readonly body: ControlBody },
  api: AgentApi,
): Promise<CommandReport> {
  const secrets = await operatorSecrets(options.stateDir, options.operatorKeyFiles);
  const state = await openStateDirectory(options.stateDir, { create: false });
  state.requireCluster(stateFiles.genesis);
  const report = await api.coordinator();
  // Else the agent would wait for what cannot come. While somebody is being elected, waiting helps.
  if (!report.isConfirmed && report.votersReachable < report.quorum) throw noQuorum(report);
  const { body } = options;
  const command = commandOf(body);
  const cluster = clusterIdOf(await state.readSecret(stateFiles.genesis));
  const submission = { api, cluster, generation: report.generation, secrets };
  const isEnough = !needsThreshold(body) || areEnough(body, secrets, await api.operators());
  if (needsThreshold(body)) await refuseTwin(body, api, isEnough);
  if (!isEnough) return propose(command, submission);
  const answer = await submit(command, submission);
  // How many must approve a grant depends on the policy at its place in the log.
  const isShort = body.kind === 'grant' && /must approve/.test(answer.reason ?? '');
  if (answer.outcome === 'void') {
    return isShort ? propose(commandOf(body), submission) : answer;
  }
  if (!needsThreshold(body)) return answer;
  return withProposal(answer, hashOf(command, submission), api);
}

type Submission = {
  readonly api: AgentApi;
  readonly cluster: ClusterId;
  readonly generation: number;
  readonly secrets: readonly Uint8Array[];
};

function submit(
  command: ControlCommand,
  { api, cluster, generation, secrets }: Submission,
): Promise<CommandReport> {
  const { bytes } = sealCommand({ command, cluster, generation, secrets });
  return api.submitCommand({ envelope: Buffer.from(bytes).toString('base64') });
}

/** For others to sign. */
async function propose(command: ControlCommand, submission: Submission): Promise<CommandReport> {
  const payload = encodeCommand(command);
  const proposal = commandOf({ kind: 'propose', command: payload, lastsMs: proposalLastsMs });
  const answer = await submit(proposal, submission);
  if (answer.outcome === 'void') return answer;
  return withProposal(answer, hashOf(command, submission), submission.api);
}

function hashOf(command: ControlCommand, { cluster, generation }: Submission): string {
  return commandHash(encodeCommand(command), { cluster, generation });
}

function commandOf(body: ControlBody): ControlCommand {
  const id = toHex(systemEntropy().bytes(16)) as CommandId;
  return { id, timeMs: systemClock().nowMs(), body };
}

/** What it became, when it is not in force yet. */
async function withProposal(
  answer: CommandReport,
  hash: string,
  api: AgentApi,
): Promise<CommandReport> {
  const found = (await api.proposals()).find((one) => one.hash === hash);
  if (found?.state !== 'open' && found?.state !== 'waiting') return answer;
  const { state, approvals, threshold } = found;
  return { ...answer, proposal: { hash, state, signed: approvals.length, threshold } };
}

/** Of those before and, where they change, of those after. */
function areEnough(
  body: ControlBody,
  secrets: readonly Uint8Array[],
  before: OperatorsReport,
): boolean {
  const keys = new Set<string>(secrets.map((secret) => toHex(publicKeyOf(secret))));
  const sets = body.kind === 'operators' ? [before, body] : [before];
  return sets.every(
    ({ operators, threshold }) => operators.filter(({ key }) => keys.has(key)).length >= threshold,
  );
}
