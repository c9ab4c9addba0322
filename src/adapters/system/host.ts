import { createServer } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

/** A label for this host: the first part of its name, in the characters that agent names may have. */
export function hostLabel(): string {
  const label = (hostname().split('.')[0] ?? '').toLowerCase().replace(/[^a-z0-9._-]/g, '-');
  return /^[a-z0-9]/.test(label) ? label.slice(0, 63) : 'host';
}

export function hostName(): string {
  return hostname();
}

/** Addresses under which other machines may reach this one; loopback only when there is nothing else. */
export function reachableAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = all.filter((one) => !one.internal && !one.address.startsWith('fe80:'));
  const chosen = outside.length > 0 ? outside : all.filter((one) => one.family === 'IPv4');
  return chosen.map((one) => `/${one.family === 'IPv4' ? 'ip4' : 'ip6'}/${one.address}`);
}

/** The port itself when it can be bound, or one that the system offers (also for port 0). */
export function freePort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (port !== 0 && error.code === 'EADDRINUSE') freePort(host, 0).then(resolve, reject);
      else reject(error);
    });
    server.listen(port, host, () => {
      const address = server.address();
      const found = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(found));
    });
  });
}
