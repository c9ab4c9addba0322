import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The file to load: the one asked for, else the state directory's, else none. */
export function locateConfig(options: { file?: string; stateDir: string }): string | undefined {
  if (options.file !== undefined) return options.file;
  const own = join(options.stateDir, 'config.json');
  return existsSync(own) ? own : undefined;
}
