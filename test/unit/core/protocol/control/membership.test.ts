import { beforeEach, describe, expect, test } from 'vitest';
import { publicKeyOf } from '../../../../../src/core/crypto/signature.ts';
import { toHex } from '../../../../../src/base/bytes.ts';
import { idOf } from '../../../../../src/core/ids.ts';
import { controlBounds } from '../../../../../src/core/protocol/control/control-bounds.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import type { FindingBook } from '../../../../../src/core/protocol/control/finding-book.ts';
import { SampleCluster, sampleAgent, secretOf } from '../../../../support/sample-cluster.ts';
import { bergen, commandId, riga, SampleControl, substance, turku } from './sample-control.ts';

let log: SampleControl;

beforeEach(() => {
  log = new SampleControl();
});

describe('members', () => {
  test('the founder is the first member and voter', () => {
    const { members, config } = log.state;
    expect(members.all().map(({ name }) => name)).toEqual(['oslo-host']);
    expect(config.voters).toEqual([log.oslo.agentKey]);
  });

  test('an invite and an admission make a member, whichever voter appends them', () => {
    expect(log.admit(bergen)).toBe('applied');
    expect(log.state.members.of(bergen.agentKey)).toMatchObject({
      name: 'bergen-host',
      site: 'bergen',
      peer: bergen.peerKey,
      index: 1,
    });
  });

  test('one who does not vote cannot append a member', () => {
    log.admit(bergen);
    expect(log.by(bergen, log.admission(turku))).toBe('"bergen-host" is not a voter');
  });

  test('a member is admitted once by one invite', () => {
    const admit = log.admission(bergen);
    expect(log.by(log.oslo, admit)).toBe('applied');
    expect(log.by(log.oslo, admit)).toBe('"bergen-host" is known already');
  });

  test('the second member of one name is refused', () => {
    log.admit(bergen);
    const other = sampleAgent('turku', { name: 'turku-host' });
    const named = { ...other, descriptor: { ...other.descriptor, name: 'bergen-host' } };
    expect(log.admit(named)).toBe('another member is called "bergen-host"');
  });

  test('an invite by somebody who is no operator admits nobody', () => {
    const forged = log.cluster.sign(secretOf('nobody'), log.cluster.invite(bergen)).envelope;
    const { admission } = log.admission(bergen);
    expect(log.by(log.oslo, { kind: 'admit', invite: forged, admission })).toBe(
      'the invite is not signed by enough operators',
    );
  });

  test('an admission without its own signature is refused with the reason of the rules of joining', () => {
    const { invite } = log.admission(bergen);
    const body = log.cluster.admission(bergen, { agentSecret: secretOf('other') });
    const admission = log.cluster.sign(log.oslo.statementSecret, body).envelope;
    expect(log.by(log.oslo, { kind: 'admit', invite, admission })).toBe(
      'the agent has not signed its own admission',
    );
  });

  test('two statements of another kind are no admission', () => {
    const { invite } = log.admission(bergen);
    expect(log.by(log.oslo, { kind: 'admit', invite, admission: invite })).toBe(
      'these statements are no invite and admission',
    );
  });
});

describe('entries', () => {
  test('an envelope that cannot be opened is void, and noted', () => {
    const outcome = log.append(Uint8Array.of(1, 2, 3));
    expect(outcome.outcome).toBe('void');
    expect(log.state.findings.voids).toMatchObject([{ index: 1, kind: '', id: '' }]);
  });

  test('a statement is no command', () => {
    const { envelope } = log.cluster.sign(log.operator, log.cluster.invite(bergen));
    expect(log.append(envelope)).toMatchObject({ outcome: 'void' });
    expect(log.state.findings.voids[0]?.reason).toContain('for another purpose');
  });

  test('a command of another cluster is void', () => {
    const other = new SampleControl(new SampleCluster('other'));
    const envelope = other.seal(other.admission(bergen), [other.oslo.statementSecret]);
    expect(log.append(envelope)).toMatchObject({ outcome: 'void' });
    expect(log.state.findings.voids[0]?.reason).toContain('for another cluster');
  });

  test('a command of another generation is void', () => {
    const secrets = [log.oslo.statementSecret];
    const envelope = log.seal(log.admission(bergen), secrets, { generation: 2 });
    expect(log.append(envelope)).toEqual({
      outcome: 'void',
      reason: 'it was signed for generation 2',
    });
  });

  test('a command that was void once stays void when it is appended again', () => {
    const early = log.seal(log.admission(turku), [bergen.statementSecret]);
    expect(log.append(early)).toMatchObject({ outcome: 'void' });
    log.admit(bergen);
    log.configure([log.oslo, bergen]);
    expect(log.append(early)).toEqual({ outcome: 'void', reason: 'the command is known already' });
  });

  test('another command under a known id is void', () => {
    const secrets = [log.oslo.statementSecret];
    const id = commandId('same');
    expect(log.append(log.seal(log.admission(bergen), secrets, { id }))).toEqual({
      outcome: 'applied',
    });
    expect(log.append(log.seal(log.admission(turku), secrets, { id }))).toMatchObject({
      reason: 'the command is known already',
    });
  });

  test('an agent signs alone', () => {
    const { statementSecret } = log.oslo;
    expect(log.say(log.admission(bergen), statementSecret, log.operator)).toBe(
      'an agent must sign this alone',
    );
  });

  test('a void entry changes nothing but the list of them', () => {
    const full = SampleControl.full();
    const before = substance(full.state);
    full.by(riga, { kind: 'site-report', site: 'oslo', state: 'lost' });
    full.by(bergen, { kind: 'layout', version: 2, base: 1, mode: 'auto', voters: [] });
    full.append(Uint8Array.of(9));
    expect(substance(full.state)).toBe(before);
    expect(full.state.findings.voids).toHaveLength(3);
  });
});

describe('two replicas', () => {
  test('one log gives one state, whatever else its readers know', () => {
    log = SampleControl.full();
    log.contest();
    // The other has read nothing but the log: no statement of any member has ever reached it.
    const other = new SampleControl();
    const configIndex = 4;
    for (const entry of log.entries) {
      if (entry.index > configIndex && other.index === 0) {
        const voters = [log.oslo, bergen, turku].map(({ agentKey }) => agentKey);
        other.state.applyConfig({ voters, learners: [] }, configIndex);
        other.index = configIndex;
      }
      other.state.apply(entry);
    }
    expect(other.state.encode()).toEqual(log.state.encode());
    expect(other.state.hash()).toEqual(log.state.hash());
  });

  test('one that starts from an image goes on as the other does', () => {
    log = SampleControl.full();
    const copy = ControlState.decode(log.state.encode(), log.cluster.genesis, log.cluster.id);
    const before = log.entries.length;
    log.contest();
    for (const entry of log.entries.slice(before)) copy.apply(entry);
    expect(copy.encode()).toEqual(log.state.encode());
  });

  test('an image that is not in its one form is refused', () => {
    const bytes = log.state.encode();
    const padded = new Uint8Array([...bytes, 0xc0, 0x0c, 0x01]);
    expect(() => ControlState.decode(padded, log.cluster.genesis, log.cluster.id)).toThrow(
      'not encoded in the one allowed way',
    );
  });

  const place = { generation: 1, index: 1 };

  /** The same state, in which something more was found. */
  function hashWith(find: (findings: FindingBook) => void): string {
    const { genesis, id } = log.cluster;
    const copy = ControlState.decode(log.state.encode(), genesis, id);
    find(copy.findings);
    return toHex(copy.hash());
  }

  test('their hash does not depend on how findings are worded', () => {
    const worded = ['as this version says it', 'as another does'].flatMap((text) => [
      hashWith((findings) => findings.addWarning({ ...place, text })),
      hashWith((findings) => findings.addVoid({ ...place, kind: 'hold', id: '', reason: text })),
    ]);
    expect(worded.slice(2)).toEqual(worded.slice(0, 2));
  });

  test('nobody who brings an image can leave out what was found, or add to it', () => {
    const accused = { ...place, agent: turku.agentKey, reason: 'two words', evidence: [] };
    const hashes = [
      hashWith(() => {}),
      hashWith((findings) => findings.addEquivocation(accused)),
      hashWith((findings) => findings.addVoid({ ...place, kind: 'hold', id: '', reason: '' })),
      hashWith((findings) => findings.addWarning({ ...place, text: '' })),
    ];
    expect(new Set(hashes)).toHaveLength(4);
  });

  test('of an agent that has contradicted itself the first finding stays, whatever comes after it', () => {
    const { findings } = log.state;
    const large = new Uint8Array(controlBounds.evidenceSizeMax + 1);
    const found = { ...place, agent: turku.agentKey, reason: 'two words' };
    findings.addEquivocation({ ...found, evidence: [large, large.subarray(1)] });
    findings.addEquivocation({ ...found, index: 2, evidence: [] });
    expect(findings.equivocations).toMatchObject([{ index: 1 }]);
    expect(findings.equivocations[0]?.evidence).toEqual([large.subarray(1)]);
  });
});

describe('configurations', () => {
  test('voters that may not vote are warned about', () => {
    log.admit(riga);
    log.configure([log.oslo, riga, turku]);
    expect(log.state.findings.warnings.map(({ text }) => text)).toEqual([
      'a voter: "riga-host" has neither the role voter nor witness',
      `a voter: ${turku.agentKey.slice(0, 8)} is no member`,
    ]);
    expect(log.state.config.voters).toHaveLength(3);
  });
});

describe('operators', () => {
  test('a threshold of two needs two of them, each counted once', () => {
    const second = secretOf('second operator');
    const cluster = new SampleCluster('pair', {
      operators: [
        { name: 'a', key: idOf(publicKeyOf(secretOf('operator'))), recipient: '' },
        { name: 'b', key: idOf(publicKeyOf(second)), recipient: '' },
      ],
      operatorThreshold: 2,
    });
    const pair = new SampleControl(cluster);
    const layout = { kind: 'layout', version: 2, base: 1, mode: 'auto', voters: [] } as const;
    expect(pair.say(layout, pair.operator)).toBe('2 operators must sign this, 1 did');
    expect(pair.say(layout, pair.operator, pair.oslo.statementSecret)).toBe(
      '2 operators must sign this, 1 did',
    );
    expect(pair.say(layout, pair.operator, second)).toBe('applied');
    expect(pair.state.layout.history.at(-1)?.authors).toHaveLength(2);
  });
});
