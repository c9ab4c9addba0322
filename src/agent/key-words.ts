import type { BodyOf } from '../core/format/control-records.ts';
import { recipientId } from '../core/format/key-record.ts';
import { type AgentKey, shortId } from '../core/ids.ts';

/** What a command about keys does, in one line for those who shall sign it. */
export function keyWords(
  body: BodyOf<'keys' | 'key-destroy' | 'split'>,
  nameOf: (agent: AgentKey) => string,
): string {
  if (body.kind === 'key-destroy') {
    const what = `key epoch ${body.epoch} of dataset ${shortId(body.dataset)} at ${nameOf(body.writer)}`;
    return `shred for ever what ${what} opens: ${body.reason}`;
  }
  if (body.kind === 'split') {
    const names = body.custodians.map(({ name }) => name).join(', ');
    return `split kit ${body.kitVersion} among ${names}: any ${body.threshold} make it`;
  }
  const sets = body.sets.map(({ of, recipients }) => {
    const whose = of === undefined ? 'all datasets' : `dataset ${shortId(of.dataset)}`;
    const who = recipients.map(
      ({ name, recipient }) => name || recipientId(recipient).slice(0, 12),
    );
    return `${whose} opens with ${['the kit', ...who].join(', ')}`;
  });
  const kit = body.kit === undefined ? [] : ['a new recovery kit; the old one opens nothing more'];
  return [`keys ${body.version}`, ...kit, ...sets, `${body.records.length} key records`].join('; ');
}
