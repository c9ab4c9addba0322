/** Part of a line. `page`: of another runbook. */
export type Span =
  | { readonly kind: 'text' | 'code' | 'strong'; readonly text: string }
  | { readonly kind: 'page'; readonly text: string; readonly page: string };

export type Block =
  | { readonly kind: 'heading'; readonly spans: readonly Span[] }
  | { readonly kind: 'paragraph'; readonly spans: readonly Span[] }
  /** Commands, one a line. */
  | { readonly kind: 'commands'; readonly lines: readonly string[] }
  | { readonly kind: 'steps' | 'points'; readonly items: readonly (readonly Block[])[] };

/**
 * What a runbook says: of CommonMark what our pages use, which are headings, paragraphs, lists of one level, indented code,
 * `code`, **strong** and links. Anything else stays the text that it is.
 */
export function runbookIn(markdown: string): Block[] {
  return blocksIn(markdown.split('\n').map((line) => line.trimEnd()));
}

const item = /^(\d+\.|-) +(.*)$/;

function blocksIn(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; ) {
    const line = lines[i] ?? '';
    const from = i;
    if (line === '') {
      i++;
    } else if (line.startsWith('#')) {
      blocks.push({ kind: 'heading', spans: spansIn(line.replace(/^#+ */, '')) });
      i++;
    } else if (line.startsWith('    ')) {
      i = endOf(lines, from, (one) => one.startsWith('    '));
      const texts = lines.slice(from, i).map((one) => one.trim());
      blocks.push({ kind: 'commands', lines: texts.filter((one) => one !== '') });
    } else if (item.test(line)) {
      i = endOf(lines, from, (one) => item.test(one) || one.startsWith(' '));
      blocks.push(listIn(lines.slice(from, i)));
    } else {
      i = endOf(lines, from, (one) => !/^(#| {4})/.test(one) && !item.test(one), false);
      blocks.push({ kind: 'paragraph', spans: spansIn(lines.slice(from, i).join(' ')) });
    }
  }
  return blocks;
}

/** Where lines that go on with a block end; it may hold empty ones between them. */
function endOf(
  lines: readonly string[],
  from: number,
  goesOn: (line: string) => boolean,
  overEmpty = true,
): number {
  let end = from + 1;
  for (let i = end; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (line === '') {
      if (!overEmpty) return i;
      continue;
    }
    if (!goesOn(line)) return end;
    end = i + 1;
  }
  return end;
}

function listIn(lines: readonly string[]): Block {
  const items: string[][] = [];
  const isOrdered = !(lines[0] ?? '').startsWith('-');
  const indent = isOrdered ? 3 : 2;
  for (const line of lines) {
    const begun = item.exec(line)?.[2];
    if (begun === undefined) items.at(-1)?.push(line.startsWith(' ') ? line.slice(indent) : line);
    else items.push([begun]);
  }
  return { kind: isOrdered ? 'steps' : 'points', items: items.map(blocksIn) };
}

const mark = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)]+)\)/g;

function spansIn(text: string): Span[] {
  const spans: Span[] = [];
  let at = 0;
  for (const match of text.matchAll(mark)) {
    if (match.index > at) spans.push({ kind: 'text', text: text.slice(at, match.index) });
    spans.push(spanOf(match));
    at = match.index + match[0].length;
  }
  if (at < text.length) spans.push({ kind: 'text', text: text.slice(at) });
  return spans;
}

function spanOf([, code, strong, emphasis, link = '', target = '']: RegExpExecArray): Span {
  if (code !== undefined) return { kind: 'code', text: code };
  if (strong !== undefined || emphasis !== undefined) {
    return { kind: 'strong', text: strong ?? emphasis ?? '' };
  }
  const page = /^([a-z-]+)\.md$/.exec(target)?.[1];
  if (page !== undefined) return { kind: 'page', text: link, page };
  // Other documents are not served here: their name says where to look.
  const document = /^\.\.\/([\w-]+\.md)/.exec(target)?.[1];
  return { kind: 'text', text: document === undefined ? link : `${link} (docs/${document})` };
}

/** The name of a runbook by the path that alarms and errors give. */
export function pageOf(path: string): string | undefined {
  return /^docs\/runbooks\/([a-z-]+)\.md$/.exec(path)?.[1];
}
