/** Where objects can be kept: a bucket, or a directory of this host. */
export type StoreAddress =
  | { readonly kind: 'bucket'; readonly bucket: string; readonly prefix: string }
  | { readonly kind: 'directory'; readonly path: string };

const bucketPattern =
  /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+){0,15}))?\/?$/;

/** "s3://bucket/prefix" or an absolute path; undefined for any other text. */
export function parseStoreAddress(text: string): StoreAddress | undefined {
  const match = bucketPattern.exec(text);
  if (match !== null) return { kind: 'bucket', bucket: match[1] as string, prefix: match[2] ?? '' };
  if (!text.startsWith('/') || text.length > 4096 || text.includes('\0')) return undefined;
  return { kind: 'directory', path: text.length > 1 ? text.replace(/\/+$/, '') : text };
}
