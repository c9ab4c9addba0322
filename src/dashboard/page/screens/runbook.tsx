import type { Block, Span } from '../../model/runbook.ts';
import { runbookIn } from '../../model/runbook.ts';
import { text } from '../api.ts';
import type { ScreenProps } from '../app.tsx';
import { useAnswer } from '../parts/ask.ts';
import { Command } from '../parts/command.tsx';
import { Problem } from '../parts/problem.tsx';
import { linkTo } from '../route.ts';

/** What to do about one kind of trouble. */
export function RunbookScreen({ rest }: ScreenProps) {
  const [page = ''] = rest;
  const ask = (): Promise<string> => text(`v1/runbooks/${encodeURIComponent(page)}`);
  const { value, problem } = useAnswer(ask, [page]);
  return (
    <article class="card runbook">
      <Problem text={problem} />
      {value !== undefined && <Blocks blocks={runbookIn(value)} />}
      <p>
        <a href={linkTo('')}>Back to the overview</a>
      </p>
    </article>
  );
}

function Blocks({ blocks }: { blocks: readonly Block[] }) {
  return (
    <>
      {blocks.map((block, i) => (
        <OneBlock key={i} block={block} />
      ))}
    </>
  );
}

function OneBlock({ block }: { block: Block }) {
  switch (block.kind) {
    case 'heading':
      return (
        <h2>
          <Spans spans={block.spans} />
        </h2>
      );
    case 'paragraph':
      return (
        <p>
          <Spans spans={block.spans} />
        </p>
      );
    case 'commands':
      return (
        <>
          {block.lines.map((line) => (
            <p key={line}>
              <Command text={line} />
            </p>
          ))}
        </>
      );
    default: {
      const items = block.items.map((item, i) => (
        <li key={i}>
          <Blocks blocks={item} />
        </li>
      ));
      return block.kind === 'steps' ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
  }
}

function Spans({ spans }: { spans: readonly Span[] }) {
  return (
    <>
      {spans.map((span, i) => {
        if (span.kind === 'code') return <code key={i}>{span.text}</code>;
        if (span.kind === 'strong') return <strong key={i}>{span.text}</strong>;
        if (span.kind === 'page') {
          return (
            <a key={i} href={linkTo('runbook', span.page)}>
              {span.text}
            </a>
          );
        }
        return span.text;
      })}
    </>
  );
}
