import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../errors.ts';
import { canonicalJson } from './plan-json.ts';
import { type PolicyDocument, policyLimits } from './policy-document.ts';
import { policyDocumentFrom } from './policy-reader.ts';

/** The canonical text of a policy. @throws HoldfastError bad-encoding (what `decodePolicy` would refuse) */
export function encodePolicy(document: PolicyDocument): Uint8Array {
  const bytes = utf8(canonicalJson(policyDocumentFrom(document)));
  requireSize(bytes);
  return bytes;
}

/** The policy in its canonical text. @throws HoldfastError bad-encoding */
export function decodePolicy(bytes: Uint8Array): PolicyDocument {
  requireSize(bytes);
  const text = fromUtf8(bytes);
  if (text === undefined) throw refused('it is not UTF-8');
  const document = parsePolicy(text);
  // What is signed must have one form: else one policy had many texts, and none could be compared.
  if (canonicalJson(document) !== text) throw refused('it is not in canonical form');
  return document;
}

/** The policy in a text that a person has written. @throws HoldfastError bad-encoding */
export function parsePolicy(text: string): PolicyDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('bad-encoding', `the policy is not JSON: ${why}`, { cause });
  }
  return policyDocumentFrom(value);
}

function requireSize(bytes: Uint8Array): void {
  const { sizeMax } = policyLimits;
  if (bytes.length > sizeMax) throw refused(`it has ${bytes.length} bytes, at most ${sizeMax} fit`);
}

function refused(why: string): HoldfastError {
  return new HoldfastError('bad-encoding', `the policy is refused: ${why}`);
}
