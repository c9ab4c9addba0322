import type { Fleet, Outcome } from './fleet.ts';

type Expectation = {
  /** Exit code. */
  readonly code?: number;
  /** What it must say, so that a transcript cannot show something else than its text says. */
  readonly says?: RegExp;
};

/** Commands that were really run, with what they said, for people to read. */
export class Transcript {
  readonly #fleet: Fleet;
  readonly #lines: string[] = [];
  #isInBlock = false;
  commands = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  title(text: string): void {
    this.#prose(`# ${text}`);
  }

  section(text: string): void {
    this.#prose(`## ${text}`);
  }

  /** Words between the commands. */
  say(text: string): void {
    this.#prose(text);
  }

  #prose(text: string): void {
    this.#closeBlock();
    this.#lines.push(text, '');
  }

  /** A thing that happens to a host, beside all commands. */
  event(text: string): void {
    this.#openBlock();
    this.#lines.push(`# ${text}`);
  }

  /** Runs a command on a host and keeps what it says. @throws when it ends otherwise than expected */
  async run(host: string, args: readonly string[], expected: Expectation = {}): Promise<Outcome> {
    const outcome = await this.#fleet.run(host, args);
    const { code = 0, says } = expected;
    const { said } = outcome;
    if (outcome.code !== code || says?.test(said) === false) {
      const wanted = `code ${code}${says === undefined ? '' : `, ${says}`}`;
      const what = `${host}$ holdfast ${args.join(' ')}`;
      throw new Error(`${what}\nended with code ${outcome.code} (wanted: ${wanted})\n${said}`);
    }
    this.commands += 1;
    this.#openBlock();
    this.#lines.push(`${host}$ holdfast ${args.map(shown).join(' ')}`);
    for (const line of said.trimEnd().split('\n')) this.#lines.push(line.trimEnd());
    if (outcome.code !== 0) this.#lines.push(`(exit code ${outcome.code})`);
    this.#lines.push('');
    return outcome;
  }

  #openBlock(): void {
    if (!this.#isInBlock) this.#lines.push('```');
    this.#isInBlock = true;
  }

  #closeBlock(): void {
    if (!this.#isInBlock) return;
    if (this.#lines.at(-1) === '') this.#lines.pop();
    this.#lines.push('```', '');
    this.#isInBlock = false;
  }

  /** Without what differs from host to host: directories become placeholders, keys are shortened. */
  text(): string {
    this.#closeBlock();
    return (
      this.#lines
        .join('\n')
        .replaceAll(/ -s \$?[^\s)]*holdfast-test-[^/\s]+\/[a-z0-9]+/g, '')
        // What stands in a table keeps its width.
        .replaceAll(/\S*holdfast-test-[^/\s]+(\S*)(?= {2})/g, (path, rest: string) =>
          `DIR${rest}`.padEnd(path.length),
        )
        .replaceAll(/[^\s]*holdfast-test-[^/\s]+\/[a-z]{3}1(?=[/\s])/g, 'STATE')
        .replaceAll(/[^\s]*holdfast-test-[^/\s]+/g, 'DIR')
        .replaceAll(/\b[0-9a-f]{32,128}\b/g, (key) => `${key.slice(0, 8)}...`)
        .replaceAll(/\b[A-Z2-7]{60,}\b/g, (code) => `${code.slice(0, 8)}...`)
        .replaceAll(/\(process \d+\)/g, '(process PID)')
        .trimEnd()
        .concat('\n')
    );
  }
}

function shown(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`;
}
