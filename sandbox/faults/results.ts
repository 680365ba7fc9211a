import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withoutNumbers } from './matrix.js';
import type { Case, Verdict } from './replay.js';

/** What became of one case. */
export interface Line {
  id: string;
  outcome: Verdict['outcome'];
  ended: string;
  seconds: number;
  problems: string[];
}

/** Results that outlive the process: what was tried need not be tried again. */
export class Results {
  readonly lines: Line[];

  constructor(
    private readonly folder: string,
    afresh = false,
  ) {
    mkdirSync(path.join(folder, 'broken'), { recursive: true });
    if (afresh) writeFileSync(this.#file, '');
    this.lines = existsSync(this.#file)
      ? readFileSync(this.#file, 'utf8')
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as Line)
      : [];
  }

  get #file(): string {
    return path.join(this.folder, 'results.jsonl');
  }

  add({ id }: Case, { stderr, ...verdict }: Verdict): void {
    const line = { id, ...verdict };
    this.lines.push(line);
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
    if (verdict.outcome !== 'broken') return;
    const name = id.replace(/[^\w]+/g, '_').slice(0, 150);
    const text = [id, '', ...verdict.problems, '', stderr].join('\n');
    writeFileSync(path.join(this.folder, 'broken', name), text);
  }
}

/** The last result of each case. */
function latest(lines: readonly Line[]): Line[] {
  return [...new Map(lines.map((line) => [line.id, line])).values()];
}

interface Count {
  held: number;
  notMet: number;
  broken: number;
}

function count(lines: readonly Line[]): Count {
  const of = (outcome: Line['outcome']) => lines.filter((line) => line.outcome === outcome).length;
  return { held: of('held'), notMet: of('not met'), broken: of('broken') };
}

/** Tables of what was tried: by subject, and by command and mode. */
export function tables(all: readonly Line[]): string {
  const lines = latest(all).map((line) => {
    const [subject = '', call = '', mode = ''] = line.id.split(' | ');
    return {
      ...line,
      subject,
      mode,
      call: mode.startsWith('KILL at') ? 'at any time' : withoutNumbers(call),
    };
  });
  const bySubject = groups(lines, ({ subject }) => subject).map(([subject, some]) => {
    const { held, notMet, broken } = count(some);
    return `| ${subject} | ${some.length} | ${held} | ${notMet} | ${broken} |`;
  });
  const { held, notMet, broken } = count(lines);
  const modes = [...new Set(lines.map(({ mode }) => mode))].sort();
  const byCall = groups(lines, ({ call }) => call).map(([call, some]) => {
    const cells = groups(some, ({ mode }) => mode).map(
      ([mode, ones]) => `${mode} ${count(ones).held}/${ones.length}`,
    );
    return `| \`${call}\` | ${some.length} | ${cells.join(' · ')} |`;
  });
  return [
    `${lines.length} cases in ${modes.length} modes:`,
    '',
    '| what | cases | held | not met | broken |',
    '|---|---|---|---|---|',
    ...bySubject,
    `| **all** | ${lines.length} | ${held} | ${notMet} | ${broken} |`,
    '',
    '| call | cases | modes: held/tried |',
    '|---|---|---|',
    ...byCall,
  ].join('\n');
}

function groups<T>(things: readonly T[], keyOf: (thing: T) => string): [string, T[]][] {
  const found = new Map<string, T[]>();
  for (const thing of things) found.set(keyOf(thing), [...(found.get(keyOf(thing)) ?? []), thing]);
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

const begin = '<!-- faults: npm run test:faults -- --table -->';
const end = '<!-- /faults -->';

/** A document with its tables written anew. */
export function withTables(document: string, lines: readonly Line[]): string {
  const [before = '', rest = ''] = document.split(begin);
  const [, after = ''] = rest.split(end);
  return `${before}${begin}\n\n${tables(lines)}\n\n${end}${after}`;
}
