/** One external command, or request to the API, of a run without faults, such that it is found again in another run. */
export interface Call {
  /** `command`: `PROGRAM ARGUMENTS`; `request`: `METHOD PATH`. What differs from run to run is a `*`. */
  kind: 'command' | 'request';
  pattern: string;
  /** Which of the calls of this pattern, from 0. */
  nth: number;
}

/** What is called differently in each run. */
const changing = [
  /cephbackup-[0-9a-f]{8}-[0-9a-f]{8}-\d+/g,
  /cephbackup-[A-Za-z0-9]{6}\b/g,
  /\/proc\/\d+/g,
  /\/dev\/loop\d+/g,
  /\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g,
  /\b[0-9a-f]{64}\b/g,
  /\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?/g,
  /\b[0-9a-f]{16}\b/g,
  /\b[0-9a-f]{8}\b/g,
  /(?<=\/fd\/)\d+/g,
  /(?<=--snap-id )\d+/g,
  /(?<=--image-id )\S+/g,
  /(?<=-newerct ?)\S+|(?<=@)\d+(\.\d+)?\b/g,
  /\b\d{5,}(\.\d+)?\b/g,
];

/** @param own names that belong to this bed alone, the longest first */
export function patternOf(text: string, own: readonly string[]): string {
  let pattern = text;
  for (const name of own) pattern = pattern.replaceAll(name, '*');
  for (const part of changing) pattern = pattern.replaceAll(part, '*');
  return pattern.replaceAll(/\*[\w./-]*\*/g, '*').trim();
}

/** Each call of a recording, in its order. */
export function callsOf(kind: Call['kind'], texts: readonly string[], own: readonly string[]): Call[] {
  const patterns = texts.map((text) => patternOf(text, own));
  return patterns.map((pattern, index) => {
    const earlier = patterns.slice(0, index);
    // A command is found by its pattern, which may be that of others, too; a request by all of it.
    const same = kind === 'command' ? matcher(pattern) : (other: string) => other === pattern;
    return { kind, pattern, nth: earlier.filter(same).length };
  });
}

function matcher(pattern: string): (text: string) => boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('.+')}$`, 's');
  return (text) => expression.test(text);
}

/** What was called in every one of several recordings: what only one of them has was an accident of its moment. */
export function common(recordings: readonly (readonly Call[])[]): Call[] {
  const [first = [], ...others] = recordings;
  const sets = others.map((calls) => new Set(calls.map(keyOf)));
  return first.filter((call) => sets.every((set) => set.has(keyOf(call))));
}

export function keyOf({ pattern, nth }: Call): string {
  return nth === 0 ? pattern : `${pattern} #${nth + 1}`;
}

/**
 * A name for each call of a recording that is short and the same in every recording: what it does, with a number where
 * several do that.
 */
export function namesOf(calls: readonly Call[]): Map<Call, string> {
  const ranks = new Map<string, string[]>();
  for (const { kind, pattern } of [...calls].sort((a, b) => (a.pattern < b.pattern ? -1 : 1))) {
    const verb = kind === 'request' ? pattern : verbOf(pattern);
    const patterns = ranks.get(verb) ?? [];
    if (!patterns.includes(pattern)) ranks.set(verb, [...patterns, pattern]);
  }
  return new Map(
    calls.map((call) => {
      const verb = call.kind === 'request' ? call.pattern : verbOf(call.pattern);
      const patterns = ranks.get(verb) ?? [];
      const which = patterns.length > 1 ? ` (${patterns.indexOf(call.pattern) + 1})` : '';
      return [call, `${verb}${which}${call.nth > 0 ? ` #${call.nth + 1}` : ''}`];
    }),
  );
}

/** A call in a few words: its program and what it is told to do, without what it is told it with. */
export function verbOf(pattern: string): string {
  const [program = '', ...rest] = pattern.split(' ');
  const words: string[] = [];
  for (let at = 0; at < rest.length; at += 1) {
    const word = rest[at] ?? '';
    if (takesValue.has(word)) at += 1;
    else if (/^[a-z][a-z-]*$/.test(word)) words.push(word);
    else if (words.length > 0 || program === 'mount') break;
  }
  const type = program === 'mount' ? /-t (\S+)/.exec(pattern)?.[1] : undefined;
  return [program, ...words.slice(0, depth.get(program) ?? 0), ...(type === undefined ? [] : [type])].join(
    ' ',
  );
}

const takesValue = new Set(['--conf', '--id', '--keyring', '--format', '-m', '--name', '--mon-host', '-n']);
/** How many words of a command say what it does. */
const depth = new Map([
  ['rbd', 2],
  ['ceph', 4],
  ['restic', 1],
]);
