import type { AuditLine, AuditVerdict } from '../../agent/audit-types.ts';
import { counted, listed, type Tone } from './words.ts';

/** The entries of one page, newest first. `from`: index of the first. */
export function auditLines(entries: readonly string[], from: number): AuditLine[] {
  return entries
    .map((entry, i) => {
      const bytes = Uint8Array.from(atob(entry), (character) => character.charCodeAt(0));
      return {
        index: from + i,
        ...(JSON.parse(new TextDecoder().decode(bytes)) as object),
      } as AuditLine;
    })
    .toReversed();
}

/** What checking the chain has shown, in words. */
export function verdictWords(verdict: AuditVerdict): { tone: Tone; words: string } {
  const { changedAt, members, proofs, putAside, size } = verdict;
  const named = (state: AuditVerdict['members'][number]['state']): string[] =>
    members.filter((member) => member.state === state).map(({ name }) => name);
  if (changedAt !== undefined)
    return { tone: 'bad', words: `Entry ${changedAt} is not as it was written.` };
  const [damaged] = putAside;
  if (damaged !== undefined)
    return { tone: 'bad', words: `Log ${damaged} was found damaged, and was put aside.` };
  const against = named('contradicts');
  if (against.length > 0)
    return {
      tone: 'bad',
      words: `${listed(against)} remember another log of this host: it was edited or put back.`,
    };
  const present = proofs.filter(({ isPast }) => !isPast).map(({ name }) => name);
  if (present.length > 0)
    return { tone: 'bad', words: `There is proof that the log of ${listed(present)} was edited.` };
  const agree = named('agrees');
  if (agree.length === 0)
    return {
      tone: 'warn',
      words: `All ${counted(size, 'entry', 'entries')} are as written here; no other member could say what it remembers.`,
    };
  return {
    tone: 'good',
    words: `All ${counted(size, 'entry', 'entries')} are as they were written: ${listed(agree)} remember${agree.length === 1 ? 's' : ''} the same.`,
  };
}
