import { hostCount } from './namespaces.ts';

export type Host = {
  readonly index: number;
  /** Of the agent and of its site: each host is a site of its own. */
  readonly name: string;
  readonly region: string;
};

/** One per namespace. */
export const fleetHosts: readonly Host[] = [
  { index: 0, name: 'ams1', region: 'eu' },
  { index: 1, name: 'fra1', region: 'eu' },
  { index: 2, name: 'nyc1', region: 'us' },
  { index: 3, name: 'sfo1', region: 'us' },
  { index: 4, name: 'sin1', region: 'asia' },
].slice(0, hostCount);
