import { readFileSync } from 'node:fs';
import path from 'node:path';
import { load } from 'js-yaml';
import { checkout } from '../checkout.js';

const page = readFileSync(path.join(checkout, 'docs/consistency.md'), 'utf8');

/** The block of code that the page shows behind a comment which says that the recipes' tests run it. */
function block(name: string, language: string): string {
  const begin = `<!-- The recipe ${name}, which its test runs. -->\n\n\`\`\`${language}\n`;
  const from = page.indexOf(begin);
  if (from < 0) throw new Error(`docs/consistency.md has no recipe ${name}`);
  const rest = page.slice(from + begin.length);
  return rest.slice(0, rest.indexOf('```'));
}

/** The annotations of a pod, as the page has them to be pasted. */
export function annotationsOf(name: string): Record<string, string> {
  const { annotations } = load(block(name, 'yaml')) as { annotations: Record<string, string> };
  return annotations;
}

/** A line of shell that is typed for a restore. */
export function commandsOf(name: string): string {
  return block(name, 'sh');
}
