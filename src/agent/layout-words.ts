import type { AgentKey } from '../core/ids.ts';
import type { VoterCandidate } from '../core/policy/voter-choice.ts';
import { fenceQuorum } from '../core/protocol/control/fence-quorum.ts';

/** What a set of voters survives, for people. `faulty`: voters that may lie, by the genesis. */
export function survivalInWords(
  candidates: readonly VoterCandidate[],
  voters: readonly AgentKey[],
  faulty = 0,
): string {
  const words = lossesInWords(candidates, voters);
  if (faulty === 0 || voters.length === 0) return words;
  const needed = fenceQuorum(voters.length, faulty);
  if (needed > voters.length) return `${words}; too few to vote on a promotion`;
  return `${words}; a promotion takes ${needed} of ${voters.length} votes`;
}

function lossesInWords(candidates: readonly VoterCandidate[], voters: readonly AgentKey[]): string {
  const count = voters.length;
  const majority = Math.floor(count / 2) + 1;
  const mayFail = count - majority;
  if (count === 0) return 'nobody votes';
  if (mayFail <= 0) {
    return count === 1 ? 'the one voter must not fail' : `none of ${count} voters may fail`;
  }
  const ofVoters = `any ${mayFail} of ${count} voters may fail`;
  const sites = sitesThatMayFail(candidates, voters, majority);
  if (sites === 0) return `${ofVoters}, but not every whole site`;
  return `${ofVoters}; any ${sites === 1 ? 'one site' : `${sites} sites`} may be lost`;
}

/** The largest sites fail first: what is left then is the worst that can be left. */
function sitesThatMayFail(
  candidates: readonly VoterCandidate[],
  voters: readonly AgentKey[],
  majority: number,
): number {
  const found = candidates.filter(({ agent }) => voters.includes(agent));
  const sizes = [...Map.groupBy(found, ({ site }) => site).values()]
    .map(({ length }) => length)
    .sort((a, b) => b - a);
  let left = found.length;
  let lost = 0;
  for (const size of sizes) {
    left -= size;
    if (left < majority) break;
    lost++;
  }
  return lost;
}
