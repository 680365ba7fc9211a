/** One line of what restic prints with `--json` (its "Scripting" manual); null where it is something else. */
export function parseMessage(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** A number in a message; 0 where there is none. */
export function count(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0;
}

/** What a message of type `error` says; null where it says nothing. */
export function errorText({ error }: Record<string, unknown>): string | null {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : null;
}

/** The file that a message of type `error` is about; null where there is none, or the text names it anyway. */
export function errorItem({ item }: Record<string, unknown>, text: string): string | null {
  return typeof item === 'string' && item !== '' && !text.includes(item) ? item : null;
}
