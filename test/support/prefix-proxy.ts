import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A reverse proxy as an operator would set one up: what lies below a prefix goes to the dashboard without it, the Host
 * header stays, and nothing is gathered before it is passed on.
 */
export class PrefixProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #prefix: string;
  #target = '';

  private constructor(prefix: string) {
    this.#prefix = prefix;
    this.#server = createServer((incoming, outgoing) => {
      const path = incoming.url ?? '';
      if (!path.startsWith(prefix)) return void outgoing.writeHead(404).end();
      const { method, headers } = incoming;
      const url = new URL(path.slice(prefix.length - 1), this.#target);
      const passed = request(url, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
        // Who has gone away asks for nothing more.
        outgoing.once('close', () => answer.destroy());
      });
      passed.once('error', () => outgoing.destroy());
      incoming.pipe(passed);
    });
  }

  /** `prefix`: begins and ends with a slash. */
  static async open(prefix: string): Promise<PrefixProxy> {
    const proxy = new PrefixProxy(prefix);
    await new Promise<void>((done) => proxy.#server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  /** As browsers write it in a Host header. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The same link, through this proxy. */
  linkFor(link: string): string {
    const { origin, hash } = new URL(link);
    this.#target = origin;
    return `http://${this.host}${this.#prefix}${hash}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }
}
