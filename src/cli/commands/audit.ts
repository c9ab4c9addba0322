import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { AuditHead, AuditLine, AuditVerdict } from '../../agent/audit-types.ts';
import { formatSpan, parseDuration } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import { auditKinds, decodeAuditEntry } from '../../core/format/audit-entry.ts';
import { auditExport, verifyAuditExport } from '../../core/format/audit-export.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import type { Cell } from '../table.ts';
import { clean, counted, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type ShowFlags = { kind?: string; actor?: string; grep?: string; since?: number; last?: number };

const lastDefault = 50;
const pageSize = 512;

/** audit show, verify, export. */
export function addAudit(program: Command, register: Register): void {
  const audit = program
    .command('audit')
    .description(
      'Look at what this agent has done and refused, and prove that nothing was changed.',
    );
  const showCommand = audit
    .command('show')
    .description('Show the newest entries of the audit log.')
    .option('--kind <kind>', `only of this kind: ${auditKinds.join(', ')}`, kindOf)
    .option('--actor <text>', 'only by whoever has this in the name')
    .option('--grep <text>', 'only with this text anywhere')
    .option('--since <span>', 'only of the last, for example, 7d', spanOf)
    .option('--last <n>', `at most so many (default: ${lastDefault})`, countOf);
  register<ShowFlags>(showCommand, (context, { options }) => show(context, options));
  const verifyCommand = audit
    .command('verify')
    .description(
      'Check this agent’s log against the disk and what other members remember, or an exported one.',
    )
    .argument('[directory]', 'of an export; needs no agent');
  register(verifyCommand, (context, { args: [directory] }) =>
    directory === undefined ? verify(context) : verifyExport(context, directory),
  );
  const exportCommand = audit
    .command('export')
    .description('Write the whole log as a directory that any C2SP tlog tool can check.')
    .argument('<directory>', 'new');
  register(exportCommand, (context, { args }) => exportTo(context, args[0] ?? ''));
}

function kindOf(text: string): string {
  if (auditKinds.some((kind) => kind === text)) return text;
  throw new InvalidArgumentError(`Give one of ${auditKinds.join(', ')}.`);
}

function spanOf(text: string): number {
  const span = parseDuration(text);
  if (span !== undefined) return span;
  throw new InvalidArgumentError('Give a span such as 12h or 7d.');
}

function countOf(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('Give a whole number from 1.');
}

async function show(context: CliContext, flags: ShowFlags): Promise<void> {
  const { output } = context;
  const { size } = await context.backend.control(context.stateDir).auditHead();
  const lines = await newest(context, size, flags);
  if (output.isJson) {
    for (const line of lines) await output.json(message('audit', line));
    return;
  }
  if (lines.length === 0) return output.print(`No entry of ${size} fits.`);
  await output.table(
    [
      { title: 'TIME' },
      { title: 'KIND' },
      { title: 'WHO' },
      { title: 'WHAT' },
      { title: 'ON' },
      { title: 'OUTCOME' },
      { title: 'DETAIL' },
    ],
    lines.map((line) => [
      formatTime(line.timeMs),
      line.kind,
      line.actor,
      line.count > 1 ? `${line.action} (${line.count} times)` : line.action,
      line.subject,
      outcomeCell(line),
      line.detail,
    ]),
  );
  await output.print(`${counted(lines.length, 'entry', 'entries')} of ${size}`);
}

function outcomeCell({ outcome }: AuditLine): Cell {
  return outcome === 'done' ? outcome : { text: outcome, style: 'yellow' };
}

/** From the end, until there are enough. Oldest first. */
async function newest(context: CliContext, size: number, flags: ShowFlags): Promise<AuditLine[]> {
  const found: AuditLine[] = [];
  const wanted = flags.last ?? lastDefault;
  const sinceMs = flags.since === undefined ? 0 : context.nowMs() - flags.since;
  for (let end = size; end > 0 && found.length < wanted; end -= pageSize) {
    const from = Math.max(0, end - pageSize);
    const page = await entriesFrom(context, from, end - from);
    const fitting = page.filter((line) => fits(line, flags, sinceMs));
    found.unshift(...fitting.slice(-(wanted - found.length)));
  }
  return found;
}

function fits(line: AuditLine, { kind, actor, grep }: ShowFlags, sinceMs: number): boolean {
  const has = (text: string, part: string | undefined): boolean =>
    part === undefined || text.toLowerCase().includes(part.toLowerCase());
  return (
    (kind === undefined || line.kind === kind) &&
    line.timeMs >= sinceMs &&
    has(line.actor, actor) &&
    has([line.actor, line.action, line.subject, line.detail].join(' '), grep)
  );
}

async function entriesFrom(context: CliContext, from: number, count: number): Promise<AuditLine[]> {
  const agent = context.backend.control(context.stateDir);
  const { entries } = await agent.auditEntries({ from, count });
  return entries.map((entry, i) => ({
    index: from + i,
    ...decodeAuditEntry(new Uint8Array(Buffer.from(entry, 'base64'))),
  }));
}

async function verify(context: CliContext): Promise<void> {
  const { output } = context;
  const verdict = await context.backend.control(context.stateDir).verifyAudit();
  const { size, changedAt, putAside, members, proofs } = verdict;
  if (output.isJson) await output.json(message('audit_verdict', verdict));
  else await printVerdict(context, verdict);
  const contradicting = members.filter(({ state }) => state === 'contradicts');
  const bad = [
    ...(changedAt === undefined ? [] : [`entry ${changedAt} on the disk is not as it was written`]),
    ...putAside.map(
      (number) => `log ${number} was damaged and put aside: audit/log-${number}.damaged`,
    ),
    ...(contradicting.length === 0
      ? []
      : [`${contradicting.map(({ name }) => clean(name)).join(', ')}: remembers another log`]),
    ...proofs
      .filter(({ isPast }) => !isPast)
      .map(({ name }) => `the log of ${clean(name)} contradicts itself`),
  ];
  if (bad.length > 0) {
    throw new HoldfastError('rollback', `tampered with: ${bad.join('; ')}`, {
      next: `keep what proves it: holdfast audit verify --json${context.stateFlag}`,
    });
  }
  if (!output.isJson) await output.print(`All ${size} entries are as they were written.`);
}

const memoryWords: Readonly<Record<AuditVerdict['members'][number]['state'], string>> = {
  agrees: 'agrees',
  'knows-nothing': 'knows nothing of it yet',
  contradicts: 'CONTRADICTS',
  'no-answer': 'cannot be asked',
};

async function printVerdict(
  { output }: CliContext,
  { members, proofs }: AuditVerdict,
): Promise<void> {
  for (const { name, number } of proofs.filter(({ isPast }) => isPast)) {
    await output.print(`An earlier log of ${clean(name)} (number ${number}) contradicted itself.`);
  }
  if (members.length === 0) return;
  await output.table(
    [{ title: 'MEMBER' }, { title: 'SITE' }, { title: 'REMEMBERS' }, { title: '' }],
    members.map(({ name, site, state, size }) => [
      name,
      site,
      state === 'agrees' ? counted(size, 'entry', 'entries') : '-',
      state === 'contradicts' ? { text: memoryWords[state], style: 'red' } : memoryWords[state],
    ]),
  );
}

async function exportTo(context: CliContext, directory: string): Promise<void> {
  const { output, cwd } = context;
  const target = resolve(cwd, directory);
  if (existsSync(target)) {
    throw new HoldfastError('usage', `${clean(directory)} exists already`, {
      next: 'holdfast audit export NEW-DIRECTORY',
    });
  }
  const agent = context.backend.control(context.stateDir);
  const head = await agent.auditHead();
  const size = signedSize(head);
  const entries: Uint8Array[] = [];
  while (entries.length < size) {
    const count = Math.min(pageSize, size - entries.length);
    const page = await agent.auditEntries({ from: entries.length, count });
    entries.push(...page.entries.map((entry) => new Uint8Array(Buffer.from(entry, 'base64'))));
  }
  const files = [...auditExport(entries, head.checkpoint ?? '')];
  const { clusterId, members } = head;
  const about = { clusterId, agent: head.agent, members };
  const text = `${JSON.stringify(about, null, 2)}\n`;
  files.push({ path: 'members.json', bytes: new TextEncoder().encode(text) });
  for (const { path, bytes } of files) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    writeFileSync(join(target, path), bytes);
  }
  if (output.isJson) return output.json(message('audit_export', { directory: target, size }));
  await output.print(
    `Wrote ${counted(size, 'entry', 'entries')} to ${clean(directory)}.`,
    `next, anywhere: holdfast audit verify ${clean(directory)}`,
  );
}

/** Of the checkpoint, which may be a little behind the log. @throws HoldfastError below-policy */
function signedSize({ checkpoint }: AuditHead): number {
  if (checkpoint !== undefined) return Number(checkpoint.split('\n')[1]);
  throw new HoldfastError('failed', 'the log has no signed head yet', {
    next: 'try again in 10 s',
  });
}

async function verifyExport(context: CliContext, directory: string): Promise<void> {
  const { output, cwd } = context;
  const root = resolve(cwd, directory);
  const read = (path: string): Uint8Array | undefined => {
    const file = join(root, path);
    if (!existsSync(file) || !statSync(file).isFile()) return undefined;
    return new Uint8Array(readFileSync(file));
  };
  const members = membersIn(read('members.json'));
  const verdict = verifyAuditExport(
    read,
    members.map(({ agentKey }) => agentKey as AgentKey),
  );
  if (verdict.kind === 'bad') {
    throw new HoldfastError('rollback', `${clean(directory)} does not verify: ${verdict.reason}`, {
      next: 'export it again from the agent, and keep this one: it may be proof',
    });
  }
  const { agent, number, entries, cosigners } = verdict;
  const nameOf = (key: AgentKey): string =>
    members.find(({ agentKey }) => agentKey === key)?.name ?? key.slice(0, 8);
  const names = cosigners.map(nameOf);
  if (output.isJson) {
    const facts = { agent, number, size: entries.length, cosigners };
    return output.json(message('audit_export_verdict', facts));
  }
  const span = (entries.at(-1)?.timeMs ?? 0) - (entries[0]?.timeMs ?? 0);
  await output.print(
    `${counted(entries.length, 'entry', 'entries')} of ${clean(nameOf(agent))} (key ${agent.slice(0, 16)}..), over ${formatSpan(span)}: all as signed.`,
    names.length === 0
      ? 'No other member has cosigned: only its own word stands for it.'
      : `Cosigned by ${names.map((name) => clean(name)).join(', ')}.`,
    'Compare the keys with those of the cluster: holdfast peer list --json',
  );
}

type ExportedMember = { readonly name: string; readonly agentKey: string };

/** Whatever is no member there proves nothing. */
function membersIn(bytes: Uint8Array | undefined): readonly ExportedMember[] {
  if (bytes === undefined) return [];
  try {
    const { members } = JSON.parse(new TextDecoder().decode(bytes)) as { members?: unknown };
    if (!Array.isArray(members)) return [];
    return members.filter(
      (one: Partial<ExportedMember> | null): one is ExportedMember =>
        typeof one?.name === 'string' && /^[0-9a-f]{64}$/.test(String(one.agentKey)),
    );
  } catch {
    return [];
  }
}
