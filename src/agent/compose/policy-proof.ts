import { openStateDirectory } from '../../adapters/fs/state-directory.ts';
import type { PolicyProof } from '../../cli/backend.ts';
import { clusterIdOf, decodeGenesis } from '../../core/format/genesis.ts';
import { encodePolicy } from '../../core/policy/policy-text.ts';
import { policyObjection } from '../../core/protocol/control/policy-proof.ts';
import { type ProvenLog, provenFromGenesis } from '../../core/protocol/control/proven-log.ts';
import type { AgentApi } from '../api.ts';
import type { LogProofReport, PolicyVersion } from '../policy-types.ts';
import { stateFiles } from './identity.ts';

/**
 * Judges here, from the genesis on this disk alone, what the running agent says of the policy: the voters must have
 * signed a log that holds these versions and no others, and operators of then each of them.
 */
export async function provePolicy(
  { stateDir }: { readonly stateDir: string },
  api: AgentApi,
): Promise<PolicyProof> {
  const state = await openStateDirectory(stateDir, { create: false });
  state.requireCluster(stateFiles.genesis);
  const genesisBytes = await state.readSecret(stateFiles.genesis);
  const cluster = clusterIdOf(genesisBytes);
  const genesis = decodeGenesis(genesisBytes);
  // The list first: the log that is fetched after it holds at least as much, but for what is being signed.
  let { history } = await api.policy();
  const told = await api.logProof();
  if (told.note === undefined) return { problems: {} };
  const proven = provenFromGenesis(proofOf(told), { genesis, cluster });
  if (typeof proven === 'string') return { problems: {}, objection: proven };
  const { generation, policy } = proven.state;
  const newest = history.at(-1)?.version ?? 0;
  // One that came in between is no lie.
  if (policy.current.version > newest) ({ history } = await api.policy());
  const problems = problemsOf(history, proven);
  return { problems, checkpoint: { generation, size: proven.size } };
}

function proofOf({ note = '', image = '', decree }: LogProofReport) {
  return {
    note,
    image: bytesOf(image),
    decree: decree === undefined ? undefined : bytesOf(decree),
  };
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

function problemsOf(told: readonly PolicyVersion[], proven: ProvenLog): PolicyProof['problems'] {
  const { history } = proven.state.policy;
  const problems: PolicyProof['problems'] = {};
  for (const [at, { value }] of history.entries()) {
    const one = told.find(({ version }) => version === value.version);
    const objection = policyObjection(proven.state, at) ?? differs(one, history[at]);
    if (objection !== undefined) problems[value.version] = { reason: objection, isPending: false };
  }
  const last = history.at(-1)?.value.version ?? 0;
  const [first] = history;
  for (const { version } of told) {
    if (version < (first?.value.version ?? 0)) {
      problems[version] = { reason: 'the log has none so old', isPending: false };
    }
    // The next checkpoint comes within seconds.
    if (version > last) problems[version] = { reason: 'not in a checkpoint yet', isPending: true };
  }
  return problems;
}

function differs(
  told: PolicyVersion | undefined,
  inLog: ProvenLog['state']['policy']['history'][number] | undefined,
): string | undefined {
  if (told === undefined) return 'the agent does not tell of it, and the log has it';
  if (inLog === undefined || told.index !== inLog.index) return 'the log has it at another place';
  const isSame =
    Buffer.compare(encodePolicy(told.document), encodePolicy(inLog.value.document)) === 0;
  return isSame ? undefined : 'the log has another document';
}
