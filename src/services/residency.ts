import type { AgentKey, DatasetId } from '../core/ids.ts';
import { isRegionAllowed } from '../core/policy/policy-terms.ts';
import type { Member, Roster } from '../core/protocol/roster.ts';
import { everybodyStays, type Standing } from './standing.ts';

/** A dataset of one writer. */
export type DatasetOf = { readonly writer: AgentKey; readonly dataset: DatasetId };

/** Storage members that are there to stay, where the policy lets the dataset lie. */
export function storageMembers(
  roster: Roster,
  of?: DatasetOf,
  standing: Standing = everybodyStays,
): Member[] {
  const members = roster
    .members()
    .filter(
      (member) =>
        member.hasRole('storage') && !standing.isLost(member.site) && !standing.isLeaving(member),
    );
  return of === undefined
    ? members
    : members.filter((one) => residencyObjection(roster, of, one) === undefined);
}

/** Why the policy does not let the dataset lie at this member; undefined when it does. */
export function residencyObjection(
  roster: Roster,
  { writer, dataset }: DatasetOf,
  { name: host, region }: Pick<Member, 'name' | 'region'>,
): string | undefined {
  const name = roster.datasetOf(writer, dataset)?.name;
  if (name === undefined) return undefined;
  const rule = roster.ruleFor(name);
  if (isRegionAllowed(rule, region)) return undefined;
  return `the policy keeps dataset ${name} in ${rule.regions?.join(', ')}, and ${host} is in ${region}`;
}
