/** sockaddr_un holds 108 bytes on Linux and 104 elsewhere, the closing zero included (unix(7)). */
const socketPathBytesMax = 100;

/** True when the kernel would refuse or cut the path of a Unix socket. */
export function isSocketPathTooLong(path: string): boolean {
  return new TextEncoder().encode(path).length > socketPathBytesMax;
}

/** Names a file through an open descriptor of its directory, which is short however deep the directory lies. Linux only. */
export function pathThroughDirectory(directoryFd: number, name: string): string {
  return `/proc/self/fd/${directoryFd}/${name}`;
}
