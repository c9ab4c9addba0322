import type { DatasetStatus, PeerReport, StatusReport } from '../../agent/api.ts';
import type { ProposalReport } from '../../agent/trust-types.ts';
import { formatSpan } from '../../base/quantity.ts';
import { ago, counted, listed, shellWord, type Tone, upper, withCommand } from './words.ts';

export type Answer = { readonly question: string; readonly answer: string; readonly tone: Tone };

export type Task = {
  /** Bad: now. Warn: today. Idle: when there is time. */
  readonly tone: Tone;
  readonly text: string;
  readonly command?: string;
};

export type Overview = {
  readonly tone: Tone;
  /** Yes or no, in one sentence. */
  readonly verdict: string;
  readonly explanation: string;
  readonly answers: readonly Answer[];
  readonly tasks: readonly Task[];
};

export type Facts = {
  readonly status: StatusReport;
  readonly peers: readonly PeerReport[];
  readonly proposals: readonly ProposalReport[];
  /** Of the agent that stand; 0 where nobody keeps any. */
  readonly alarms?: number;
  readonly nowMs: number;
};

/** Is my data safe, what was lost, what should I do: from what the agent reports. */
export function overviewOf(facts: Facts): Overview {
  const { status } = facts;
  if (status.datasets.length === 0) return nothingYet(facts);
  const groups = groupsOf(status);
  return {
    ...verdictOf(groups, status),
    answers: [
      fromWhere(facts),
      howFast(status.datasets),
      whatIsLost(facts, groups),
      whatIsWrong(facts),
    ],
    tasks: tasksOf(facts, groups),
  };
}

type Groups = {
  readonly lost: readonly DatasetStatus[];
  readonly never: readonly DatasetStatus[];
  readonly weak: readonly DatasetStatus[];
};

function groupsOf({ datasets, policy }: StatusReport): Groups {
  const never = datasets.filter(({ restorable }) => restorable === undefined);
  const lost = datasets.filter(({ restorable }) => restorable?.isRestorableNow === false);
  const weak = datasets.filter(
    ({ restorable }) =>
      restorable?.isRestorableNow === true &&
      (restorable.state !== 'committed' || restorable.sitesMayFail < policy.surviveSites),
  );
  return { lost, never, weak };
}

function verdictOf(
  { lost, never, weak }: Groups,
  { datasets, policy }: StatusReport,
): Pick<Overview, 'tone' | 'verdict' | 'explanation'> {
  const all = counted(datasets.length, 'dataset');
  const bad = lost.length + never.length;
  if (bad > 0) {
    const what =
      bad === datasets.length ? (bad === 1 ? 'Your dataset' : `All ${all}`) : `${bad} of ${all}`;
    const why = [
      ...(lost.length > 0 ? [`Too few sites that hold ${listed(namesOf(lost))} answer.`] : []),
      ...(never.length > 0 ? [`${listed(namesOf(never))} was never backed up.`] : []),
    ];
    return {
      tone: 'bad',
      verdict: `No. ${what} cannot be restored now.`,
      explanation: why.join(' '),
    };
  }
  const can = datasets.length === 1 ? 'Your dataset can' : `All ${all} can`;
  if (weak.length === 0) {
    const explanation = `Even if any ${counted(policy.surviveSites, 'more site')} failed, as your policy asks.`;
    return {
      tone: 'good',
      verdict: `Yes. ${can} be restored now.`,
      explanation: policy.surviveSites > 0 ? explanation : '',
    };
  }
  const spare = Math.min(...weak.map(({ restorable }) => restorable?.sitesMayFail ?? 0));
  const explanation =
    `${spare <= 0 ? 'No more site may fail' : `Only ${counted(spare, 'more site')} may fail`}` +
    `; your policy asks for ${policy.surviveSites}.`;
  return {
    tone: 'warn',
    verdict: `Yes. ${can} be restored now, with little to spare.`,
    explanation,
  };
}

function fromWhere({ status }: Facts): Answer {
  const sites = new Set(status.datasets.flatMap(({ restorable }) => restorable?.sites ?? []));
  const question = 'From where?';
  if (sites.size === 0)
    return { question, answer: 'From nowhere: no site that answers holds anything.', tone: 'bad' };
  return {
    question,
    answer: `${listed([...sites].sort())} answer and hold the shards.`,
    tone: 'good',
  };
}

function howFast(datasets: readonly DatasetStatus[]): Answer {
  const question = 'How fast?';
  const drilled = datasets.filter(({ drill }) => drill?.last?.rtoMs !== undefined);
  if (drilled.length === 0)
    return { question, answer: 'Nobody knows: no restore was ever rehearsed.', tone: 'warn' };
  const slowest = drilled.reduce((a, b) =>
    (b.drill?.last?.rtoMs ?? 0) > (a.drill?.last?.rtoMs ?? 0) ? b : a,
  );
  const last = slowest.drill?.last;
  const target = slowest.drill?.objectives.rtoMs;
  const isMissed = drilled.some(({ drill }) => drill?.last?.outcome !== 'passed');
  const rest = datasets.length - drilled.length;
  const answer =
    `${last?.isRtoReckoned === true ? 'About ' : ''}${formatSpan(last?.rtoMs ?? 0)} for ${slowest.name}, as the last drill has measured` +
    (target === undefined ? '' : ` (target ${formatSpan(target)})`) +
    (rest > 0 ? `; ${rest} not measured.` : '.');
  return { question, answer, tone: isMissed ? 'bad' : rest > 0 ? 'warn' : 'good' };
}

/** Sites without a member that answers. */
export function silentSites({ sites }: StatusReport): string[] {
  return sites
    .filter(({ members, reachable }) => members > 0 && reachable === 0)
    .map(({ site }) => site);
}

function whatIsLost({ status, peers }: Facts, { lost }: Groups): Answer {
  const question = 'What is lost?';
  const silent = silentSites(status);
  const orphans = orphansOf(status, peers);
  if (lost.length > 0) {
    return {
      question,
      tone: 'bad',
      answer: `${siteWords(silent)} not answer. ${listed(namesOf(lost))} come${lost.length === 1 ? 's' : ''} back with them.`,
    };
  }
  const since = orphans.map(
    ({ source, restorable }) =>
      `what changed at ${source} after its last snapshot (${ago(restorable?.ageMs ?? 0)})`,
  );
  if (silent.length === 0 && since.length === 0)
    return { question, answer: 'Nothing. Every site answers.', tone: 'good' };
  const who = silent.length === 0 ? '' : `${siteWords(silent)} not answer; `;
  const what =
    since.length === 0
      ? 'no backup was lost with that.'
      : `no backup was lost, only ${listed(since, 3)}.`;
  return { question, answer: who === '' ? upper(what) : who + what, tone: 'warn' };
}

/** Datasets whose source cannot be asked for what is newer. */
function orphansOf({ datasets }: StatusReport, peers: readonly PeerReport[]): DatasetStatus[] {
  const away = new Set(
    peers.filter(({ state }) => state === 'unreachable').map(({ name }) => name),
  );
  return datasets.filter(({ source, restorable }) => away.has(source) && restorable !== undefined);
}

function whatIsWrong({ status, peers, alarms = 0 }: Facts): Answer {
  const question = 'What is wrong?';
  const away = peers.filter(({ state }) => state === 'unreachable').length;
  const parts = [
    ...(away > 0 ? [`${away} of ${counted(peers.length, 'peer')} cannot be reached`] : []),
    ...(status.coordinator.hasQuorum ? [] : ['no quorum, so nothing can be decided']),
    ...(alarms > 0 ? [`${counted(alarms, 'alarm')} ${alarms === 1 ? 'stands' : 'stand'}`] : []),
    ...(newsIn(status).length > 0 ? [counted(newsIn(status).length, 'warning')] : []),
  ];
  if (parts.length === 0) return { question, answer: 'Nothing that is known here.', tone: 'good' };
  return {
    question,
    answer: `${upper(listed(parts))}.`,
    tone: status.coordinator.hasQuorum && alarms === 0 ? 'warn' : 'bad',
  };
}

function tasksOf(facts: Facts, { lost, never }: Groups): Task[] {
  const { status, peers, proposals } = facts;
  const tasks: Task[] = [];
  const silent = silentSites(status);
  if (lost.length > 0) {
    tasks.push({
      tone: 'bad',
      text: `Bring ${silent.length > 1 ? 'one of the sites' : 'the site'} ${listed(silent)} back: power, network, agent.`,
      command: 'holdfast peer list',
    });
  }
  for (const { name } of never)
    tasks.push({
      tone: 'bad',
      text: `Back up ${name} for the first time.`,
      command: `holdfast backup --dataset ${shellWord(name)}`,
    });
  for (const { source, name } of orphansOf(status, peers)) {
    tasks.push({
      tone: 'bad',
      text: `Is ${source} gone for good? Then restore ${name === source ? 'it' : name} on another machine. Is it only cut off? Then wait: it goes on by itself.`,
      command: `holdfast restore latest --dataset ${shellWord(name)} --kit FILE -t DIR`,
    });
  }
  if (lost.length === 0 && silent.length > 0) {
    tasks.push({
      tone: 'warn',
      text: `Look after ${listed(silent)}: power, network, agent. The other sites keep your backups meanwhile.`,
      command: 'holdfast peer list',
    });
  }
  tasks.push(...quorumTasks(status));
  const waiting = proposals.filter(({ state }) => state === 'open').length;
  if (waiting > 0)
    tasks.push({
      tone: 'warn',
      text: `${counted(waiting, 'decision')} wait${waiting === 1 ? 's' : ''} for operators to sign.`,
      command: 'holdfast approve list',
    });
  tasks.push(...warningTasks(status));
  return tasks;
}

function quorumTasks({ coordinator }: StatusReport): Task[] {
  if (coordinator.hasQuorum) return [];
  const { missing, quorum, votersReachable } = coordinator;
  if (votersReachable >= quorum)
    return [
      {
        tone: 'warn',
        text: 'The voters are electing a coordinator. This takes seconds; backups and restores go on.',
      },
    ];
  return [
    {
      tone: 'warn',
      text: `Bring ${counted(quorum - votersReachable, 'more voter')} up (${listed(missing)}). Backups and restores go on without; decisions wait.`,
      command: 'holdfast coordinator status',
    },
  ];
}

function warningTasks(status: StatusReport): Task[] {
  return newsIn(status).map((warning) => {
    const { text, command } = withCommand(warning);
    const isUrgent = /cannot be rebuilt|two histories|wrongly|suspect|does not have what/.test(
      text,
    );
    return {
      tone: isUrgent ? 'bad' : 'warn',
      text: upper(text),
      ...(command !== undefined && { command }),
    };
  });
}

/** Warnings of a silent site's hosts say what was said of the site. */
function newsIn(status: StatusReport): string[] {
  const silent = silentSites(status);
  return status.warnings.filter(
    (text) => !silent.some((site) => text.includes(`(site ${site}) is not reachable`)),
  );
}

function nothingYet({ status }: Facts): Overview {
  return {
    tone: 'idle',
    verdict: 'Nothing is protected yet.',
    explanation: 'There is no dataset in this cluster: back something up on any of its hosts.',
    answers: [],
    tasks: [
      { tone: 'warn', text: 'Make the first backup.', command: 'holdfast backup PATH' },
      ...(status.sites.length < 2
        ? [
            {
              tone: 'warn' as const,
              text: 'Invite another site: what is at one place only is no backup.',
              command: 'holdfast invite --site NAME --region NAME',
            },
          ]
        : []),
    ],
  };
}

function namesOf(datasets: readonly DatasetStatus[]): string[] {
  return datasets.map(({ name }) => name);
}

/** "Site ams1 does", "Sites ams1 and nyc1 do". */
function siteWords(sites: readonly string[]): string {
  return sites.length === 1 ? `Site ${sites[0]} does` : `Sites ${listed(sites)} do`;
}
