import type { PlanStepReport } from '../../agent/plan-types.ts';
import type { Tone } from './words.ts';

export type GraphNode = {
  readonly step: PlanStepReport;
  readonly tone: Tone;
  readonly x: number;
  readonly y: number;
};

export type Graph = {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly GraphNode[];
  /** SVG paths, from a step to one that waits for it. */
  readonly edges: readonly { readonly d: string; readonly isPassed: boolean }[];
};

export const nodeSize = { width: 220, height: 78 } as const;
const [gapX, gapY] = [26, 40];

/** Top down: a step stands below all that it waits for. Steps come in an order in which they can be done. */
export function graphOf(steps: readonly PlanStepReport[]): Graph {
  const rows = new Map<string, number>();
  for (const { id, after } of steps) {
    rows.set(id, Math.max(0, ...after.map((before) => (rows.get(before) ?? 0) + 1)));
  }
  const counts: number[] = [];
  const nodes = steps.map((step): GraphNode => {
    const row = rows.get(step.id) ?? 0;
    const column = counts[row] ?? 0;
    counts[row] = column + 1;
    return {
      step,
      tone: toneOf(step.state),
      x: 1 + column * (nodeSize.width + gapX),
      y: 1 + row * (nodeSize.height + gapY),
    };
  });
  const byId = new Map(nodes.map((node) => [node.step.id, node]));
  const edges = nodes.flatMap((node) =>
    node.step.after.flatMap((before) => {
      const from = byId.get(before);
      if (from === undefined) return [];
      return [{ d: edge(from, node), isPassed: from.step.state === 'done' }];
    }),
  );
  const width = Math.max(1, ...counts) * (nodeSize.width + gapX) - gapX + 2;
  const height = Math.max(1, counts.length) * (nodeSize.height + gapY) - gapY + 2;
  return { width, height, nodes, edges };
}

export function toneOf(state: PlanStepReport['state']): Tone {
  const tones = { done: 'good', started: 'warn', waiting: 'idle', undone: 'idle' } as const;
  return state === 'failed' || state === 'escalated' ? 'bad' : tones[state];
}

function edge(from: GraphNode, to: GraphNode): string {
  const [x1, x2] = [from.x + nodeSize.width / 2, to.x + nodeSize.width / 2];
  const [y1, y2] = [from.y + nodeSize.height, to.y];
  const middle = (y1 + y2) / 2;
  return `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`;
}
