import { formatSpan } from '../../base/quantity.ts';

/** How a thing stands; shown by a sign and a word, never by colour alone. */
export type Tone = 'good' | 'warn' | 'bad' | 'idle';

/** "one, two and three". */
export function listed(names: readonly string[], countMax = 6): string {
  const shown = names.length > countMax ? names.slice(0, countMax - 1) : [...names];
  const rest = names.length - shown.length;
  const words = rest > 0 ? [...shown, `${rest} more`] : shown;
  const last = words.pop() ?? '';
  return words.length === 0 ? last : `${words.join(', ')} and ${last}`;
}

/** "1 site", "2 sites". */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

export function ago(ms: number): string {
  return ms < 1000 ? 'just now' : `${formatSpan(ms)} ago`;
}

/** A sentence of the agent's, apart from the command that it ends with. */
export function withCommand(text: string): { text: string; command?: string } {
  const match = /^([\s\S]*?)[:,\n]\s*(holdfast [^\n]*)$/.exec(text.trim());
  if (match?.[1] === undefined || match[2] === undefined) return { text: text.trim() };
  // The command stands below the sentence, and needs no "Next" before it.
  const sentence = match[1].trim().replace(/\.\s+(?:Next|Look|Why)$/, '.');
  return { text: sentence, command: match[2].trim() };
}

/** As a sentence begins. */
export function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** For a shell, as little quoted as it may be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The first eight digits, as everywhere. */
export function short(id: string): string {
  return id.slice(0, 8);
}

/** A moment as 2026-11-29 06:37:36, where the reader is. */
export function when(timeMs: number): string {
  // Swedes write dates so that they sort.
  return new Date(timeMs).toLocaleString('sv-SE');
}
