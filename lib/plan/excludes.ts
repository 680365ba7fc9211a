/** What a claim's annotation `exclude` says: restic's patterns, one a line, as restic takes them from a file. */
export interface Excludes {
  /** Those that can be read, as they were written. */
  patterns: string[];
  /** Lines that cannot, with the reason. */
  problems: { line: string; problem: string }[];
}

export function parseExcludes(text: string): Excludes {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const judged = lines.map((line) => ({ line, problem: problemOf(line) }));
  return {
    patterns: judged.filter(({ problem }) => problem === null).map(({ line }) => line),
    problems: judged.flatMap(({ line, problem }) => (problem === null ? [] : [{ line, problem }])),
  };
}

function problemOf(line: string): string | null {
  const parts = (line.startsWith('!') ? line.slice(1) : line).split('/');
  if (parts.every((part) => part === '')) return 'names nothing';
  // restic would take the step upwards before it compares, and leave the volume.
  if (parts.includes('..')) return 'has a component ..';
  return parts.every(isPattern) ? null : 'is no pattern: a [ or a \\ is not closed';
}

/** The syntax of Go's `filepath.Match` for one component of a path, which restic checks. */
function isPattern(part: string): boolean {
  for (let at = 0; at < part.length;) {
    if (part[at] === '[') {
      const end = classEnd(part, at + 1);
      if (end === null) return false;
      at = end;
    } else if (part[at] === '\\') {
      if (at + 1 === part.length) return false;
      at += 2;
    } else at += 1;
  }
  return true;
}

/** Where a class that begins before `start` has ended; null where it does not. */
function classEnd(part: string, start: number): number | null {
  let at = part[start] === '^' ? start + 1 : start;
  for (let ranges = 0; ; ranges += 1) {
    if (part[at] === ']' && ranges > 0) return at + 1;
    const low = characterEnd(part, at);
    if (low === null) return null;
    const high = part[low] === '-' ? characterEnd(part, low + 1) : low;
    if (high === null) return null;
    at = high;
  }
}

/** Within a class, `-` and `]` stand for themselves only behind a backslash. Null also where the class is not closed. */
function characterEnd(part: string, at: number): number | null {
  const first = part[at];
  if (first === undefined || first === '-' || first === ']') return null;
  const end = first === '\\' ? at + 2 : at + 1;
  return end < part.length ? end : null;
}
