import { cpus, release, totalmem } from 'node:os';
import { versionOf } from './opponents.ts';

/** What the figures were measured on, for people. */
export function machineWords(directory: string): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB of memory`;
  const disk = versionOf('findmnt', ['-nro', 'FSTYPE,SOURCE', '-T', directory]) ?? '';
  const system = `Linux ${release()}, Node ${process.version}`;
  return `${cpus().length} × ${model}, ${memory}, ${disk}; ${system}`;
}
