import type { BackupRequest } from './api.ts';
import type { Config } from './config.ts';

type DatasetConfig = Config['datasets'][string];

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
