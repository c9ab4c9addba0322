import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Whether this system tells which process has a socket. */
export function knowsSocketOwners(): boolean {
  return process.platform === 'linux';
}

/**
 * Which of these processes has the near end of a TCP connection on the IPv4 loopback; undefined: none of them, or it
 * is gone already. Linux: proc(5), /proc/net/tcp and /proc/PID/fd.
 */
export function socketOwner(
  connection: { readonly localPort: number; readonly remotePort: number },
  pids: Iterable<number>,
): number | undefined {
  const inode = inodeOf(connection);
  if (inode === undefined) return undefined;
  const wanted = `socket:[${inode}]`;
  for (const pid of pids) {
    if (linksOf(pid).includes(wanted)) return pid;
  }
  return undefined;
}

function inodeOf({
  localPort,
  remotePort,
}: {
  localPort: number;
  remotePort: number;
}): string | undefined {
  const local = portOf(localPort);
  const remote = portOf(remotePort);
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(local) === true && fields[2]?.endsWith(remote) === true) {
      return fields[9];
    }
  }
  return undefined;
}

function portOf(port: number): string {
  return `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

function linksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  } catch {
    // It has ended.
    return [];
  }
}

function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}
