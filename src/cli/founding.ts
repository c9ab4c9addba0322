import { HoldfastError } from '../core/errors.ts';
import type { InitOptions } from './backend.ts';
import { type Custodian, custodiansGiven } from './custodian.ts';
import { operatorPublicKey } from './operator-key.ts';
import { policyFile } from './policy-file.ts';
import type { CliContext } from './world.ts';

export type FoundingFlags = {
  operator?: string[];
  threshold?: number;
  policy?: string;
  custodian?: Custodian[];
  shareThreshold?: number;
  surviveSites?: number;
};

export type Founding = Pick<InitOptions, 'operators' | 'policy' | 'custody' | 'surviveSites'>;

/** Who decides, what holds at first, and who shall keep the kit. @throws HoldfastError usage | io-error */
export async function foundingOf(context: CliContext, flags: FoundingFlags): Promise<Founding> {
  const { surviveSites } = flags;
  const operators = await operatorsOf(context, flags);
  const policy = flags.policy === undefined ? undefined : await policyFile(context, flags.policy);
  const asked = policy?.survive?.sites;
  if (asked !== undefined && surviveSites !== undefined && asked !== surviveSites) {
    throw new HoldfastError(
      'usage',
      `the policy says survive.sites ${asked}, and --survive-sites ${surviveSites}`,
      { next: 'leave one of them out' },
    );
  }
  const custody = await custodyOf(context, flags);
  const sites = surviveSites ?? asked;
  return {
    ...(operators === undefined ? {} : { operators }),
    ...(policy === undefined ? {} : { policy }),
    ...(custody === undefined ? {} : { custody }),
    ...(sites === undefined ? {} : { surviveSites: sites }),
  };
}

async function operatorsOf(
  context: CliContext,
  { operator = [], threshold }: FoundingFlags,
): Promise<Founding['operators']> {
  if (operator.length === 0) {
    if (threshold === undefined || threshold === 1) return undefined;
    throw new HoldfastError('usage', 'one operator cannot reach a threshold of more', {
      next: `name ${threshold} or more: --operator NAME:KEY --operator NAME:KEY`,
    });
  }
  const named = await Promise.all(operator.map((text) => operatorOf(context, text)));
  requireOnce(
    named.map(({ name }) => name),
    'two operators have one name',
  );
  requireOnce(
    named.map(({ key }) => key),
    'two operators have one key',
  );
  const must = threshold ?? majorityOf(named.length);
  requireWithin(must, { min: 1, max: named.length }, '--threshold');
  return { named, threshold: must };
}

async function operatorOf(
  context: CliContext,
  text: string,
): Promise<{ name: string; key: string }> {
  const at = text.indexOf(':');
  const [name, key] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  if (name === '' || key === '') {
    throw new HoldfastError('usage', `"${text}" is not NAME:KEY`, {
      next: '--operator ada:ada.pub, where the file holds the line that `holdfast operator key` prints',
    });
  }
  return { name, key: await operatorPublicKey(context, key) };
}

async function custodyOf(
  context: CliContext,
  { custodian = [], shareThreshold }: FoundingFlags,
): Promise<Founding['custody']> {
  if (custodian.length === 0) {
    if (shareThreshold === undefined) return undefined;
    throw new HoldfastError('usage', '--share-threshold needs custodians', {
      next: '--custodian NAME --custodian NAME ...',
    });
  }
  const custodians = await custodiansGiven(context, custodian);
  requireWithin(custodians.length, { min: 2, max: 32 }, 'the number of custodians');
  requireOnce(
    custodians.map(({ name }) => name),
    'two custodians have one name',
  );
  const threshold = shareThreshold ?? Math.max(2, majorityOf(custodians.length));
  requireWithin(threshold, { min: 2, max: custodians.length }, '--share-threshold');
  return { threshold, custodians };
}

/** Neither one alone, nor all: what most people mean when they name several and no number. */
function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

function requireOnce(texts: readonly string[], problem: string): void {
  if (new Set(texts).size === texts.length) return;
  throw new HoldfastError('usage', problem, { next: 'name each once' });
}

function requireWithin(
  count: number,
  { min, max }: { min: number; max: number },
  what: string,
): void {
  if (count >= min && count <= max) return;
  throw new HoldfastError('usage', `${what} must be ${min} to ${max}`, {
    next: 'holdfast init --help',
  });
}
