import { printable } from '../../log/logger.js';

interface Named {
  kind: string;
  name: string;
  reason?: string;
}

/** A heading and one line each; nothing where there is nothing. */
export function leftoverLines(heading: string, items: readonly Named[]): string {
  if (items.length === 0) return '';
  const lines = items.map(
    ({ kind, name, reason }) =>
      `  ${kind} ${printable(name)}${reason === undefined ? '' : `: ${printable(reason)}`}`,
  );
  return `\n${heading}:\n${lines.join('\n')}\n`;
}
