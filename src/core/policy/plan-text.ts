import { fromUtf8, toHex, utf8 } from '../../base/bytes.ts';
import { hash } from '../crypto/hash.ts';
import { HoldfastError } from '../errors.ts';
import type { PlanHash } from '../format/control-records.ts';
import { canonicalJson } from './plan-json.ts';
import { planFrom } from './plan-reader.ts';
import { planLimits, type RestorePlan } from './restore-plan.ts';

/** The canonical text of a plan. @throws HoldfastError limit-exceeded | bad-encoding (what `decodePlan` would refuse) */
export function encodePlan(plan: RestorePlan): Uint8Array {
  const bytes = utf8(canonicalJson(planFrom(plan)));
  if (bytes.length > planLimits.sizeMax) {
    throw new HoldfastError('limit-exceeded', 'the restore plan is too large', {
      details: { size: bytes.length, sizeMax: planLimits.sizeMax },
    });
  }
  return bytes;
}

/** The plan in its canonical text, complete and consistent. @throws HoldfastError bad-encoding */
export function decodePlan(bytes: Uint8Array): RestorePlan {
  if (bytes.length > planLimits.sizeMax) throw refused('it is too large');
  const text = fromUtf8(bytes);
  if (text === undefined) throw refused('it is not UTF-8');
  const plan = planFrom(parse(text));
  // What is signed must have one form: else one plan had many hashes, and could be run many times.
  if (canonicalJson(plan) !== text) throw refused('it is not in canonical form');
  return plan;
}

/** Names a plan: hash of its canonical text. */
export function planHash(bytes: Uint8Array): PlanHash {
  return toHex(hash('plan', bytes)) as PlanHash;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError('bad-encoding', 'the restore plan is not JSON', { cause });
  }
}

function refused(why: string): HoldfastError {
  return new HoldfastError('bad-encoding', `the restore plan is refused: ${why}`);
}
