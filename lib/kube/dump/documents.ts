import { CephbackupError } from '../../errors/error.js';
import { printable } from '../../log/logger.js';
import { parseJsonStream } from '../json-stream.js';

/**
 * The documents of a file: JSON (one, or several after another), or YAML (separated by `---`). Empty ones are dropped.
 *
 * @throws CephbackupError INPUT_UNREADABLE
 */
export async function readDocuments(content: string): Promise<unknown[]> {
  const text = content.replace(/^\uFEFF/, '');
  const documents = /^\s*[[{]/.test(text) ? readJson(text) : await readYaml(text);
  const full = documents.filter((document) => document !== null && document !== undefined);
  if (full.length === 0) throw unreadable('the input is empty');
  return full;
}

function readJson(text: string): unknown[] {
  try {
    return parseJsonStream(text);
  } catch (cause) {
    throw unreadable(
      `the input is no JSON: ${printable(cause instanceof Error ? cause.message : '')}`,
      cause,
    );
  }
}

async function readYaml(text: string): Promise<unknown[]> {
  // Loaded only where it is needed.
  const { loadAll, JSON_SCHEMA, YAMLException } = await import('js-yaml');
  try {
    // This schema leaves timestamps what they are: text.
    return loadAll(text, null, { schema: JSON_SCHEMA });
  } catch (cause) {
    if (!(cause instanceof YAMLException)) throw unreadable('the input cannot be read as YAML', cause);
    const { reason, mark } = cause as unknown as { reason: string; mark?: { line: number; column: number } };
    const where = mark === undefined ? '' : `line ${mark.line + 1}, column ${mark.column + 1}: `;
    throw unreadable(`the input is neither JSON nor YAML: ${where}${printable(reason)}`, cause);
  }
}

function unreadable(message: string, cause?: unknown): CephbackupError {
  return new CephbackupError('INPUT_UNREADABLE', message, { cause });
}
