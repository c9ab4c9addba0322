/** A file that a run of the model leaves. */
export type Result = { readonly name: string; readonly text: string };

type Cell = string | number | boolean;

/** A table with a line of headings. Numbers keep six significant digits: more would be noise. */
export function csvFile(name: string, rows: readonly Readonly<Record<string, Cell>>[]): Result {
  const headings = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) =>
    headings.map((heading) => cellText(row[heading] ?? '')).join(','),
  );
  return { name, text: `${[headings.join(','), ...lines].join('\n')}\n` };
}

function cellText(cell: Cell): string {
  if (typeof cell === 'number') return String(Number(cell.toPrecision(6)));
  const text = String(cell);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
