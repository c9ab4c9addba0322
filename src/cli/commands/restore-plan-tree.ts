import { topologicalOrder } from '../../core/policy/plan-graph.ts';

type Linked = { readonly id: string; readonly after: readonly string[] };

export type Branch<Step> = {
  /** To be written before the step's id. */
  readonly branch: string;
  readonly step: Step;
  /** What else it waits for, beside the step above it. */
  readonly alsoAfter: readonly string[];
};

/**
 * The steps as a tree, each under the last one that it waits for. Needs a graph without cycles. A step has
 * one place only, so what else it waits for is told beside it.
 */
export function stepTree<Step extends Linked>(steps: readonly Step[]): Branch<Step>[] {
  const ordered = topologicalOrder(steps);
  const place = new Map(ordered.map(({ id }, i) => [id, i]));
  const parentOf = ({ after }: Step): string | undefined =>
    after.reduce<string | undefined>(
      (last, id) =>
        last === undefined || (place.get(id) ?? 0) > (place.get(last) ?? 0) ? id : last,
      undefined,
    );
  const rows: Branch<Step>[] = [];
  const visit = (parent: string | undefined, indent: string): void => {
    const children = ordered.filter((step) => parentOf(step) === parent);
    for (const [i, step] of children.entries()) {
      const isLast = i === children.length - 1;
      const isRoot = parent === undefined;
      const branch = isRoot ? '' : `${indent}${isLast ? '`- ' : '|- '}`;
      rows.push({ branch, step, alsoAfter: step.after.filter((id) => id !== parent) });
      visit(step.id, isRoot ? '' : `${indent}${isLast ? '   ' : '|  '}`);
    }
  };
  visit(undefined, '');
  return rows;
}
