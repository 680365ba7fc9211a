import { CephbackupError } from '../../errors/error.js';

/**
 * What a command printed, as JSON.
 * @throws CephbackupError COMMAND_OUTPUT_INVALID
 */
export function parseJson(text: string, command: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw invalid(command, 'no JSON', cause);
  }
}

/** The JSON array a command printed, each element an object. */
export function parseJsonObjects(text: string, command: string): Record<string, unknown>[] {
  const value = parseJson(text, command);
  if (!Array.isArray(value)) throw invalid(command, 'no JSON array');
  return value.map((element) => asObject(element, command));
}

export function asObject(value: unknown, command: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(command, 'no JSON object');
  return value as Record<string, unknown>;
}

export function stringField(object: Record<string, unknown>, name: string, command: string): string {
  const value = object[name];
  if (typeof value !== 'string') throw invalid(command, `no text in field ${name}`);
  return value;
}

export function numberField(object: Record<string, unknown>, name: string, command: string): number {
  const value = object[name];
  if (typeof value !== 'number') throw invalid(command, `no number in field ${name}`);
  return value;
}

function invalid(command: string, what: string, cause?: unknown): CephbackupError {
  return new CephbackupError('COMMAND_OUTPUT_INVALID', `${command}: ${what} where it was expected`, {
    cause,
  });
}
