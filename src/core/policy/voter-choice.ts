import type { Role } from '../format/records.ts';
import type { AgentKey } from '../ids.ts';

/** A member that may vote, and what the choice depends on. */
export type VoterCandidate = {
  readonly agent: AgentKey;
  readonly name: string;
  readonly site: string;
  readonly region: string;
  readonly roles: readonly Role[];
  readonly isReachable: boolean;
};

export type VoterChoice = {
  /** 1, 3, 5 or 7 of the candidates (none without any), sorted by key. */
  readonly voters: readonly AgentKey[];
  /** Why these, in words for a person. */
  readonly reasons: readonly string[];
};

/** More voters make every commit wait for more sites and survive little more. */
const votersMax = 7;

/**
 * Who should vote: as many as an odd number allows, across sites. No site has two while another site has a
 * candidate, regions are spread, and voters of now stay where nothing speaks against it: each change is a risk.
 */
export function chooseVoters(
  members: readonly VoterCandidate[],
  current: readonly AgentKey[],
): VoterChoice {
  const pool = members.filter(canVote);
  const size = sizeOf(pool);
  const chosen: VoterCandidate[] = [];
  const reasons: string[] = [];
  while (chosen.length < size) {
    const rest = pool.filter((candidate) => !chosen.includes(candidate));
    const best = rest.reduce((a, b) => (isBetter(b, a, { chosen, current }) ? b : a));
    reasons.push(reasonOf(best, { chosen, current }));
    chosen.push(best);
  }
  if (pool.length > size) {
    reasons.push(`${size} of ${pool.length} candidates: an odd number, no more than ${votersMax}`);
  }
  return { voters: chosen.map(({ agent }) => agent).sort(), reasons };
}

function canVote({ roles }: VoterCandidate): boolean {
  return roles.includes('voter') || roles.includes('witness');
}

/**
 * One voter a site, made odd. Two sites, or one, have no such majority: then hosts count, three at most,
 * so that at least the loss of a host is survived.
 */
function sizeOf(pool: readonly VoterCandidate[]): number {
  const sites = new Set(pool.map(({ site }) => site)).size;
  const wanted = sites >= 3 ? sites : Math.min(pool.length, 3);
  return Math.min(wanted % 2 === 0 ? Math.max(wanted - 1, 0) : wanted, votersMax);
}

type Choosing = {
  readonly chosen: readonly VoterCandidate[];
  readonly current: readonly AgentKey[];
};

/** Compares what matters most first; the key comes last, so that every member chooses alike. */
function isBetter(a: VoterCandidate, b: VoterCandidate, choosing: Choosing): boolean {
  const left = rank(a, choosing);
  const right = rank(b, choosing);
  const at = left.findIndex((value, i) => value !== right[i]);
  if (at === -1) return a.agent < b.agent;
  return (left[at] as number) < (right[at] as number);
}

function rank(candidate: VoterCandidate, { chosen, current }: Choosing): readonly number[] {
  const { site, region, agent, isReachable, roles } = candidate;
  return [
    chosen.filter((one) => one.site === site).length,
    // A voter that cannot be reached lends no vote, wherever it stands.
    isReachable ? 0 : 1,
    chosen.filter((one) => one.region === region).length,
    current.includes(agent) ? 0 : 1,
    // A witness stores nothing: where a full voter is at hand, it knows more.
    roles.includes('voter') ? 0 : 1,
  ];
}

function reasonOf(candidate: VoterCandidate, { chosen, current }: Choosing): string {
  const { name, site, region, agent, isReachable, roles } = candidate;
  const words = [
    chosen.some((one) => one.site === site) ? `another of site ${site}` : `for site ${site}`,
    ...(chosen.some((one) => one.region === region) ? [] : [`first of region ${region}`]),
    ...(current.includes(agent) ? ['votes already'] : []),
    ...(roles.includes('voter') ? [] : ['as a witness']),
    ...(isReachable ? [] : ['not reachable now, but nobody else is left there']),
  ];
  return `${name}: ${words.join(', ')}`;
}

/** What is wrong with a set of voters, and the next command that mends it. */
export type VoterWarning = { readonly text: string; readonly next: string };

/**
 * Warns of voters that lose their majority more easily than they must, or that those who may lie can hold up.
 * `members`: all of the cluster. `faulty`: voters that may lie, by the genesis.
 */
export function lintVoters(
  members: readonly VoterCandidate[],
  voters: readonly AgentKey[],
  faulty = 0,
): readonly VoterWarning[] {
  const found = members.filter(({ agent }) => voters.includes(agent));
  const bySite = Map.groupBy(found, ({ site }) => site);
  const warnings: VoterWarning[] = [];
  const count = voters.length;
  const majority = Math.floor(count / 2) + 1;
  if (count === 0) return [{ text: 'Nobody votes: nothing can be decided.', next: autoLayout }];
  if (count % 2 === 0) {
    const text = `${count} voters survive no more losses than ${count - 1}, and a split stops both halves.`;
    warnings.push({ text, next: autoLayout });
  }
  const [largest] = [...bySite].sort(([, a], [, b]) => b.length - a.length);
  if (bySite.size === 1 && largest !== undefined) {
    const text = `All voters are in site ${largest[0]}: when it is lost, nothing can be decided.`;
    warnings.push({ text, next: `${invite} --role voter` });
  } else if (largest !== undefined && largest[1].length >= majority) {
    const text = `Site ${largest[0]} has a majority alone: when it is lost, nothing can be decided.`;
    warnings.push({ text, next: autoLayout });
  }
  const sites = new Set(members.map(({ site }) => site)).size;
  if (sites === 2) {
    const text =
      'Two sites without a witness elsewhere: neither can go on alone when the other is lost.';
    warnings.push({ text, next: `${invite} --role witness` });
  }
  if (count < votersWithLiars(faulty)) warnings.push(liarWarning(members, count, faulty));
  return warnings;
}

/** So many that the honest ones decide every promotion alone: of 3 f + 1 voters, f may lie; and an odd number. */
function votersWithLiars(faulty: number): number {
  return faulty === 0 ? 0 : 3 * faulty + 1 + (faulty % 2);
}

function liarWarning(
  members: readonly VoterCandidate[],
  count: number,
  faulty: number,
): VoterWarning {
  const wanted = votersWithLiars(faulty);
  const voters = count === 1 ? '1 voter' : `${count} voters`;
  const names = Array<string>(wanted).fill('NAME').join(',');
  return {
    text:
      `${voters} cannot outvote ${faulty} that may lie: one that lies or is away keeps every ` +
      `promotion from being decided. It takes ${wanted} voters.`,
    next:
      members.filter(canVote).length >= wanted
        ? `holdfast layout plan --pin ${names}`
        : `${invite} --role voter`,
  };
}

const autoLayout = 'holdfast layout plan --auto';
const invite = 'holdfast invite --site SITE --region REGION';
