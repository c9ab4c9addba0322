import type { ComponentChildren } from 'preact';

/** A column's title; `number`: right-aligned. */
export type Column = string | { readonly title: string; readonly kind: 'number' };

/** A table that scrolls by itself where the page is narrow, also by keyboard. `label`: id of its heading. */
export function Table(props: {
  label: string;
  columns: readonly Column[];
  children: ComponentChildren;
}) {
  return (
    <div class="scroll" tabIndex={0} role="group" aria-labelledby={props.label}>
      <table>
        <thead>
          <tr>
            {props.columns.map((column) =>
              typeof column === 'string' ? (
                <th key={column} scope="col">
                  {column}
                </th>
              ) : (
                <th key={column.title} scope="col" class="number">
                  {column.title}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}

export function numbers(...titles: readonly string[]): Column[] {
  return titles.map((title) => ({ title, kind: 'number' }));
}
