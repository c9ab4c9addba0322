/** Kinds of POSIX ACL entries (linux/posix_acl_xattr.h). */
const tags = { owner: 1, user: 2, ownerGroup: 4, group: 8, mask: 16, other: 32 } as const;

export type AclEntry = { tag: keyof typeof tags; permissions: number; id?: number };

/** The value of system.posix_acl_access or _default: version 2, then the entries in the order given. */
export function aclBytes(entries: readonly AclEntry[]): Uint8Array {
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(2, 0);
  for (const [i, { tag, permissions, id }] of entries.entries()) {
    bytes.writeUInt16LE(tags[tag], 4 + 8 * i);
    bytes.writeUInt16LE(permissions, 6 + 8 * i);
    bytes.writeUInt32LE(id ?? 0xffffffff, 8 + 8 * i);
  }
  return bytes;
}
