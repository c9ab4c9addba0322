import type { MessageInitShape } from '@bufbuild/protobuf';
import { assertNever } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import { type AgentKey, type DatasetId, idBytes } from '../ids.ts';
import { limits } from '../limits.ts';
import { hexBytes, reasonFrom } from './control-field.ts';
import { controlLimits } from './control-limits.ts';
import type {
  BodyOf,
  KeyBody,
  KitKeys,
  RecipientSet,
  RecordChange,
  Split,
  SplitId,
} from './control-records.ts';
import { atMost, exactBytes, idField, integer, malformed, printableText } from './field.ts';
import type { ControlCommand as Message } from './gen/holdfast/v1/control_pb.js';
import type {
  KeysCommand,
  KitKeys as KitMessage,
  RecipientSetSchema,
  RecordChange as RecordMessage,
  RecipientSet as SetMessage,
  SplitCommand,
  SplitCommandSchema,
} from './gen/holdfast/v1/keys_pb.js';
import type { EpochName } from './key-record.ts';
import { recipientFrom } from './member.ts';

type KeyCase = 'keys' | 'keyDestroy' | 'split' | 'shareProof';
type KeyMessage = Extract<Message['body'], { case: KeyCase }>;

const keyCases: ReadonlySet<string> = new Set<KeyCase>([
  'keys',
  'keyDestroy',
  'split',
  'shareProof',
]);

/** True when the message is about who can open what. */
export function isKeyMessage(message: Message['body']): message is KeyMessage {
  return keyCases.has(message.case ?? '');
}

const none = new Uint8Array();

/** The message of a body about keys. */
export function keyMessage(body: KeyBody) {
  switch (body.kind) {
    case 'keys': {
      const { version, base, kit } = body;
      const value = {
        version,
        base,
        ...(kit === undefined ? {} : { kit: kitMessage(kit) }),
        sets: body.sets.map(setMessage),
        records: body.records.map((change) => ({
          ...epochMessage(change),
          base: change.base === undefined ? none : idBytes(change.base),
          record: idBytes(change.record),
        })),
      };
      return { case: 'keys', value } as const;
    }
    case 'key-destroy':
      return {
        case: 'keyDestroy',
        value: { ...epochMessage(body), reason: body.reason },
      } as const;
    case 'split':
      return { case: 'split', value: splitMessage(body) } as const;
    case 'share-proof':
      return {
        case: 'shareProof',
        value: { split: hexBytes(body.split), share: body.share },
      } as const;
    default:
      return assertNever(body);
  }
}

function epochMessage({ writer, dataset, epoch }: EpochName): {
  writer: Uint8Array;
  dataset: Uint8Array;
  epoch: number;
} {
  return { writer: idBytes(writer), dataset: idBytes(dataset), epoch };
}

/** The message of a kit's public keys. */
export function kitMessage({ recipient, recoveryKey }: KitKeys): {
  recipient: string;
  recoveryKey: Uint8Array;
} {
  return { recipient, recoveryKey: idBytes(recoveryKey) };
}

/** The message of a set of recipients. */
export function setMessage({
  of,
  recipients,
}: RecipientSet): MessageInitShape<typeof RecipientSetSchema> {
  const name =
    of === undefined
      ? { writer: none, dataset: none }
      : { writer: idBytes(of.writer), dataset: idBytes(of.dataset) };
  return { ...name, recipients: recipients.map((one) => ({ ...one })) };
}

/** The message of a split. */
export function splitMessage(split: Split): MessageInitShape<typeof SplitCommandSchema> {
  const { kitVersion, threshold } = split;
  const custodians = split.custodians.map(({ name, commitment, key }) => ({
    name,
    commitment,
    key: idBytes(key),
  }));
  return { kitVersion, threshold, custodians };
}

/** A body about keys. @throws HoldfastError bad-encoding */
export function keyBodyFrom(message: KeyMessage): KeyBody {
  switch (message.case) {
    case 'keys':
      return keysFrom(message.value);
    case 'keyDestroy': {
      const { reason } = message.value;
      return { kind: 'key-destroy', ...epochFrom(message.value), reason: reasonFrom(reason) };
    }
    case 'split':
      return { kind: 'split', ...splitFrom(message.value) };
    case 'shareProof': {
      const { split, share } = message.value;
      return {
        kind: 'share-proof',
        split: toHex(exactBytes(split, 32, 'split')) as SplitId,
        share: integer(share, { min: 1, max: controlLimits.custodiansMax }, 'share'),
      };
    }
    default:
      return assertNever(message);
  }
}

const anyVersion = { min: 1, max: 0xffff_ffff };

function keysFrom(message: KeysCommand): BodyOf<'keys'> {
  const sets = atMost(message.sets, controlLimits.recipientSetsMax, 'sets of recipients');
  const records = atMost(message.records, controlLimits.recordChangesMax, 'key records');
  const { kit } = message;
  const body: BodyOf<'keys'> = {
    kind: 'keys',
    version: integer(message.version, anyVersion, 'version of the keys'),
    base: integer(message.base, anyVersion, 'base of the keys'),
    kit: kit === undefined ? undefined : kitFrom(kit),
    sets: sets.map(setFrom),
    records: records.map(recordFrom),
  };
  if (kit === undefined && sets.length + records.length === 0) {
    throw malformed('a change of keys changes nothing');
  }
  return body;
}

/** The public keys of a kit in a message. @throws HoldfastError bad-encoding */
export function kitFrom({ recipient, recoveryKey }: KitMessage): KitKeys {
  return {
    recipient: recipientFrom(recipient),
    recoveryKey: idField(recoveryKey, 32, 'recovery key'),
  };
}

/** The set of recipients in a message. @throws HoldfastError bad-encoding */
export function setFrom({ writer, dataset, recipients }: SetMessage): RecipientSet {
  const list = atMost(recipients, limits.keyRecipientsMax, 'recipients').map((one) => ({
    name: printableText(one.name, { min: 0, max: 63 }, 'name of a recipient'),
    recipient: recipientFrom(one.recipient),
  }));
  if (new Set(list.map(({ recipient }) => recipient)).size !== list.length) {
    throw malformed('a recipient is named twice');
  }
  const isOfAll = writer.length + dataset.length === 0;
  return { of: isOfAll ? undefined : ownerFrom({ writer, dataset }), recipients: list };
}

function ownerFrom(message: { writer: Uint8Array; dataset: Uint8Array }): {
  writer: AgentKey;
  dataset: DatasetId;
} {
  return {
    writer: idField(message.writer, 32, 'writer'),
    dataset: idField(message.dataset, 16, 'dataset'),
  };
}

/** The name of an epoch in a message. @throws HoldfastError bad-encoding */
export function epochFrom(message: {
  writer: Uint8Array;
  dataset: Uint8Array;
  epoch: number;
}): EpochName {
  const epoch = integer(message.epoch, { min: 1, max: limits.keyEpochsMax }, 'key epoch');
  return { ...ownerFrom(message), epoch };
}

function recordFrom(message: RecordMessage): RecordChange {
  const { base, record } = message;
  return {
    ...epochFrom(message),
    base: base.length === 0 ? undefined : idField(base, 32, 'base of a key record'),
    record: idField(record, 32, 'key record'),
  };
}

/** The split in a message. @throws HoldfastError bad-encoding */
export function splitFrom(message: SplitCommand): Split {
  const custodians = atMost(message.custodians, controlLimits.custodiansMax, 'custodians').map(
    ({ name, commitment, key }) => ({
      name: printableText(name, { min: 1, max: 63 }, 'name of a custodian'),
      commitment: exactBytes(commitment, 32, 'commitment'),
      key: idField<AgentKey>(key, 32, 'key of a share'),
    }),
  );
  if (new Set(custodians.map(({ key }) => key)).size !== custodians.length) {
    throw malformed('two custodians hold one share');
  }
  return {
    kitVersion: integer(message.kitVersion, anyVersion, 'kit version'),
    threshold: integer(message.threshold, { min: 2, max: custodians.length }, 'threshold'),
    custodians,
  };
}
