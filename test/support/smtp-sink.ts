import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export type Letter = { from: string; to: string[]; text: string };

/** A mail server on this host that keeps what it is sent. RFC 5321, the part that a client needs. */
export class SmtpSink implements AsyncDisposable {
  readonly letters: Letter[] = [];
  /** In the place of the usual answer to a command, by its first word; undefined: the usual. */
  readonly answers: Record<string, string> = {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => this.#talk(socket));
  }

  static async open(): Promise<SmtpSink> {
    const sink = new SmtpSink();
    await new Promise<void>((ready) => sink.#server.listen(0, '127.0.0.1', ready));
    return sink;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #talk(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    const talk = new Talk(this);
    let rest = '';
    socket.setEncoding('utf8').on('data', (part: string) => {
      rest += part;
      for (let at = rest.indexOf('\r\n'); at >= 0; at = rest.indexOf('\r\n')) {
        const answer = talk.take(rest.slice(0, at));
        rest = rest.slice(at + 2);
        if (answer !== undefined) socket.write(`${answer}\r\n`);
        if (talk.isOver) socket.end();
      }
    });
    socket.write(`${this.answers.GREETING ?? '220 sink ready'}\r\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((closed) => this.#server.close(closed));
  }
}

/** One client's session: lines in, answers out. */
class Talk {
  isOver = false;
  readonly #sink: SmtpSink;
  #letter: Letter = { from: '', to: [], text: '' };
  #isData = false;

  constructor(sink: SmtpSink) {
    this.#sink = sink;
  }

  take(line: string): string | undefined {
    return this.#isData ? this.#keep(line) : this.#answer(line);
  }

  #keep(line: string): string | undefined {
    if (line !== '.') {
      this.#letter.text += `${line.replace(/^\./, '')}\n`;
      return undefined;
    }
    this.#isData = false;
    this.#sink.letters.push(this.#letter);
    this.#letter = { from: '', to: [], text: '' };
    return '250 kept';
  }

  #answer(line: string): string {
    const verb = (line.split(' ')[0] ?? '').toUpperCase();
    const [, address = ''] = /<([^>]*)>/.exec(line) ?? [];
    if (verb === 'MAIL') this.#letter.from = address;
    if (verb === 'RCPT') this.#letter.to.push(address);
    this.isOver = verb === 'QUIT';
    this.#isData = verb === 'DATA' && this.#sink.answers.DATA === undefined;
    return this.#sink.answers[verb] ?? usual[verb] ?? '250 ok';
  }
}

const usual: Readonly<Record<string, string>> = {
  EHLO: '250-sink\r\n250 8BITMIME',
  STARTTLS: '502 not here',
  DATA: '354 go on',
  QUIT: '221 bye',
};
