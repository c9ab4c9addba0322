import { clean, type Style, styled, widthOf } from './terminal-text.ts';

export type Cell = string | { readonly text: string; readonly style: Style };

export type Column = { readonly title: string; readonly align?: 'left' | 'right' };

/** Lines of aligned columns under their titles. Cells are cleaned here: rows may hold texts of others. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: { isColored: boolean },
): string[] {
  const cells = rows.map((row) =>
    row.map((cell) => ({
      text: clean(typeof cell === 'string' ? cell : cell.text),
      style: typeof cell === 'string' ? undefined : cell.style,
    })),
  );
  const widths = columns.map((column, at) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[at]?.text ?? ''))),
  );
  const line = (row: readonly { text: string; style: Style | undefined }[]): string =>
    columns
      .map((column, at) => {
        const { text, style } = row[at] ?? { text: '', style: undefined };
        const shown = style === undefined || !options.isColored ? text : styled(text, style);
        const padding = ' '.repeat((widths[at] ?? 0) - widthOf(text));
        if (column.align === 'right') return padding + shown;
        return at === columns.length - 1 ? shown : shown + padding;
      })
      .join('  ')
      .trimEnd();
  const titles = columns.map(({ title }) => ({ text: title, style: 'bold' as const }));
  return [line(titles), ...cells.map(line)];
}
