import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mail, type MailOptions } from '../../../../src/adapters/notify/mail.ts';
import type { Notice } from '../../../../src/ports/messenger.ts';
import { SmtpSink } from '../../../support/smtp-sink.ts';

const notice: Notice = {
  ...{ id: 'abc-raised-1', state: 'raised', timeMs: Date.UTC(2026, 0, 2), sinceMs: 0 },
  ...{ alarm: 'backup-late', subject: 'web', text: 'web is late. Next: holdfast backup' },
  facts: { dataset: 'web\r\nBcc: eve@example.org' },
  runbook: 'docs/runbooks/backup-late.md',
  cluster: { id: 'c1', name: 'home' },
  agent: { name: 'oslo-1', site: 'oslo' },
};

let sink: SmtpSink;

beforeEach(async () => {
  sink = await SmtpSink.open();
});

afterEach(() => sink[Symbol.asyncDispose]());

function messenger(change: Partial<MailOptions> = {}) {
  return mail({
    ...{ server: '127.0.0.1', port: sink.port, security: 'none', login: undefined },
    ...{ from: 'holdfast@example.org', to: ['ops@example.org', 'ada@example.org'] },
    ...change,
  });
}

describe('a mail', () => {
  test('names the alarm, what to do, who tells, and reaches everybody', async () => {
    expect(await messenger().send(notice, {})).toEqual({ outcome: 'sent' });
    const [letter] = sink.letters;
    expect(letter).toMatchObject({
      from: 'holdfast@example.org',
      to: ['ops@example.org', 'ada@example.org'],
    });
    const text = letter?.text ?? '';
    expect(text).toContain('Subject: [holdfast home] backup-late');
    expect(text).toContain('web is late. Next: holdfast backup');
    expect(text).toContain('Told by: oslo-1, site oslo');
    expect(text).toContain('Runbook: docs/runbooks/backup-late.md');
    expect(text).toContain('Auto-Submitted: auto-generated');
  });

  test('has no header of its own by what a dataset is called', async () => {
    await messenger().send(notice, {});
    expect(sink.letters[0]?.text).not.toMatch(/^Bcc:/m);
  });

  test('says when the trouble is over', async () => {
    await messenger().send({ ...notice, state: 'cleared', text: 'over: web is late' }, {});
    expect(sink.letters[0]?.text).toContain('over: backup-late');
    expect(sink.letters[0]?.text).toContain('Since:   1970-01-01T00:00:00.000Z');
  });

  test.each([
    ['RCPT', '550 no such user', 'refused'],
    ['MAIL', '451 try later', 'failed'],
    ['GREETING', '554 go away', 'refused'],
  ])('that is answered at %s with %s is %s', async (verb, words, outcome) => {
    sink.answers[verb] = words;
    const delivery = await messenger().send(notice, {});
    expect(delivery).toMatchObject({ outcome, reason: expect.stringContaining('127.0.0.1') });
    expect(sink.letters).toEqual([]);
  });

  test('is not sent in clear where starttls is asked for, and may be tried again elsewhere', async () => {
    const delivery = await messenger({ security: 'starttls' }).send(notice, {});
    expect(delivery).toMatchObject({ outcome: 'failed' });
    expect(sink.letters).toEqual([]);
  });

  test('to a server that is not there may be tried again', async () => {
    const delivery = await messenger({ port: 9 }).send(notice, {});
    expect(delivery).toMatchObject({ outcome: 'failed' });
  });
});
