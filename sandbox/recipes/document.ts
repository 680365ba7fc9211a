import { readFileSync } from 'node:fs';
import path from 'node:path';
import { load } from 'js-yaml';
import { checkout } from '../checkout.js';

/** A page with recipes that tests run as they stand there. */
export class RecipePage {
  readonly #text: string;

  constructor(private readonly file: string) {
    this.#text = readFileSync(path.join(checkout, file), 'utf8');
  }

  /** The block of code that the page shows behind a comment which says that the recipes' tests run it. */
  block(name: string, language: string): string {
    const begin = `<!-- The recipe ${name}, which its test runs. -->\n\n\`\`\`${language}\n`;
    const from = this.#text.indexOf(begin);
    if (from < 0) throw new Error(`${this.file} has no recipe ${name}`);
    const rest = this.#text.slice(from + begin.length);
    return rest.slice(0, rest.indexOf('```'));
  }
}

export const appendOnlyPage = new RecipePage('docs/append-only.md');
const consistencyPage = new RecipePage('docs/consistency.md');

/** The annotations of a pod, as the page has them to be pasted. */
export function annotationsOf(name: string): Record<string, string> {
  const { annotations } = load(consistencyPage.block(name, 'yaml')) as {
    annotations: Record<string, string>;
  };
  return annotations;
}

/** A line of shell that is typed for a restore. */
export function commandsOf(name: string): string {
  return consistencyPage.block(name, 'sh');
}
