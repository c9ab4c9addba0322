/** Control characters, among them escape sequences and direction marks, which could forge what a terminal shows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
const controls = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text of others (file names, peers' names, reasons), safe to show. */
export function clean(text: string): string {
  return text.replace(controls, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Columns that the text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character.codePointAt(0) ?? 0);
  return width;
}

/** Unicode Standard Annex 11, coarsely: what is not wide or combining takes one column. */
function columnsOf(code: number): number {
  if (code < 0x300) return 1;
  if (code <= 0x36f || code === 0x200d || (code >= 0xfe00 && code <= 0xfe0f)) return 0;
  const isWide = wideRanges.some(([first, last]) => code >= first && code <= last);
  return isWide ? 2 : 1;
}

const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
];

/** The text, or its end after an ellipsis: of a path the end says most. */
export function shortenStart(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width <= 0) return '';
  const kept: string[] = [];
  let used = 1;
  for (const character of Array.from(text).reverse()) {
    used += widthOf(character);
    if (used > width) break;
    kept.push(character);
  }
  return `…${kept.reverse().join('')}`;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

const styleCodes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** The text between the escape sequences of a style (ECMA-48, SGR). */
export function styled(text: string, style: Style): string {
  const [on, off] = styleCodes[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/** Local time to the second, as in logs. */
export function formatTime(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** "1 file", "1,234 files". */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? noun : plural}`;
}
