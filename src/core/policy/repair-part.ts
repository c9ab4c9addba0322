/** What a host is asked to begin with: nothing, what is due, or also what may wait for a day. */
export const repairParts = ['nothing', 'due', 'all'] as const;
export type RepairPart = (typeof repairParts)[number];
