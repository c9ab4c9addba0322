import type { DrillKind } from '../core/policy/drill-report.ts';

/**
 * What needs the recovery kit, for the dashboard. The kit is named by its file on this host, and read by a process
 * that lives as long as the request: it comes neither into the page nor into the agent.
 */
export interface KitApi {
  /** What a directory of a snapshot holds. */
  list(request: { kit: string; snapshot: string; path: string }): AsyncIterable<KitLine>;
  find(request: { kit: string; snapshot: string; pattern: string }): AsyncIterable<KitLine>;
  diff(request: { kit: string; from: string; to: string; path: string }): AsyncIterable<KitLine>;
  /** Restores into a staging area, or makes a fault in a sandbox, and measures; the agent signs the report. */
  drill(request: KitDrillRequest): AsyncIterable<KitLine>;
  /** One file's bytes. The first byte has been read when it resolves. */
  dump(request: {
    kit: string;
    snapshot: string;
    path: string;
  }): Promise<AsyncIterable<Uint8Array>>;
}

export type KitDrillRequest = {
  scenario: DrillKind;
  /** A sandbox needs none; with it made-up data is more like the dataset. */
  kit?: string;
  dataset: string;
  /** Inside the dataset; undefined: all of it. */
  path?: string;
  sampleBytes?: number;
  /** Of a site loss: the sites that count as lost; empty: the source's. */
  without?: string[];
  isSandbox?: boolean;
};

/** As the command prints it: `type` is its `message_type`; the `type` of an entry is its `kind` here. */
export type KitLine = { type: string } & Record<string, unknown>;
