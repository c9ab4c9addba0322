import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { recipientId } from '../../core/format/key-record.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { SecretStore } from '../../ports/secrets.ts';

export type OneTimeKeysOptions = { readonly secrets: SecretStore; readonly sealer: Sealer };

/** What this host keeps of a request: what opens its grant, and where it restores to. */
export type OneTimeKey = {
  readonly identity: string;
  /** Absolute path; undefined before the grant is used. */
  readonly target?: string;
};

/** Identities that are made for one request each, and forgotten with it. */
export class OneTimeKeys {
  readonly #options: OneTimeKeysOptions;

  constructor(options: OneTimeKeysOptions) {
    this.#options = options;
  }

  /** @returns the recipient. Durable when resolved. */
  async make(): Promise<string> {
    const { identity, recipient } = await this.#options.sealer.generate();
    await this.#write(recipient, { identity });
    return recipient;
  }

  /** Undefined: it was made elsewhere, or is forgotten. */
  async of(recipient: string): Promise<OneTimeKey | undefined> {
    const secret = await this.#options.secrets.read(nameOf(recipient));
    if (secret === undefined || secret.length === 0) return undefined;
    return JSON.parse(fromUtf8(secret) ?? '{}') as OneTimeKey;
  }

  async keepTarget(recipient: string, key: OneTimeKey, target: string): Promise<void> {
    await this.#write(recipient, { ...key, target });
  }

  /** The store removes nothing, so nothing takes its place. */
  async forget(recipient: string): Promise<void> {
    if ((await this.of(recipient)) === undefined) return;
    await this.#options.secrets.write(nameOf(recipient), new Uint8Array());
  }

  #write(recipient: string, key: OneTimeKey): Promise<void> {
    return this.#options.secrets.write(nameOf(recipient), utf8(JSON.stringify(key)));
  }
}

function nameOf(recipient: string): string {
  return `grant-${recipientId(recipient).slice(0, 32)}`;
}
