import type { AlertReport } from '../../../agent/alert-types.ts';
import { alarmCards } from '../../model/alarms.ts';
import { linkTo } from '../route.ts';
import { Command } from './command.tsx';
import { Sign } from './sign.tsx';

/** What the agent has told people, and where it says what to do. */
export function Alarms({ alarms, nowMs }: { alarms: readonly AlertReport[]; nowMs: number }) {
  const cards = alarmCards(alarms, nowMs);
  if (cards.length === 0) return null;
  return (
    <section class="card" aria-labelledby="alarms">
      <h2 id="alarms">Alarms</h2>
      <ul class="tasks" aria-live="polite">
        {cards.map(({ key, text, command, when, isOver, page }) => (
          <li key={key}>
            <Sign tone={isOver ? 'good' : 'bad'} />
            <div>
              <p>
                {isOver && <b>Over: </b>}
                {text} <span class="quiet">({when})</span>
              </p>
              {command !== undefined && !isOver && <Command text={command} />}
              {page !== undefined && !isOver && (
                <p>
                  <a href={linkTo('runbook', page)}>What to do, step by step</a>
                </p>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
