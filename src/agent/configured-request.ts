import { utf8 } from '../base/bytes.ts';
import { HoldfastError } from '../core/errors.ts';
import type { BackupRequest } from './api.ts';
import type { Config } from './config.ts';

type DatasetConfig = Config['datasets'][string];

/**
 * A request with what the configuration says of the dataset that it names, and what to back up as bytes.
 * @throws HoldfastError usage (neither paths nor a configured dataset)
 */
export function fullRequest(
  request: BackupRequest,
  datasets: Config['datasets'],
  name: string,
): { full: BackupRequest; given: Uint8Array[]; chunkAverage: number | undefined } {
  const { paths = [] } = request;
  const configured = request.paths === undefined ? datasets[name] : undefined;
  if (configured === undefined && paths.length === 0) {
    throw new HoldfastError('usage', `dataset ${name} is not in the configuration`, {
      next: 'holdfast backup --dataset NAME PATH.., or add it to the configuration file',
    });
  }
  const given =
    configured?.paths.map(utf8) ?? paths.map((path) => new Uint8Array(Buffer.from(path, 'base64')));
  return { full: withConfig(request, configured), given, chunkAverage: configured?.chunkAverage };
}

/** A request with what the configuration says of its dataset. */
export function withConfig(
  request: BackupRequest,
  configured: DatasetConfig | undefined,
): BackupRequest {
  if (configured === undefined) return request;
  const compression = request.compression ?? configured.compression;
  const largest = request.excludeLargerThan ?? configured.excludeLargerThan;
  return {
    ...request,
    tags: [...configured.tags, ...request.tags],
    exclude: [...configured.exclude, ...request.exclude],
    iexclude: [...configured.iexclude, ...request.iexclude],
    excludeIfPresent: [...configured.excludeIfPresent, ...request.excludeIfPresent],
    excludeCaches: configured.excludeCaches || request.excludeCaches,
    oneFileSystem: configured.oneFileSystem || request.oneFileSystem,
    ...(largest === undefined ? {} : { excludeLargerThan: largest }),
    ...(compression === undefined ? {} : { compression }),
  };
}
