import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A file of the template: where it was made, since snapshots have the paths of then. Written last. */
export function templateMark(directory: string): string {
  return join(directory, 'made-at');
}

export function isTemplateMade(directory: string): boolean {
  return existsSync(templateMark(directory));
}
