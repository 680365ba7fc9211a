import { printable } from '../../log/logger.js';

/** How a command in a pod ended, as the API's last message tells it. */
export type Exit =
  | { type: 'exited'; code: number }
  /** The node could not run it, or lost it: there is no exit code. */
  | { type: 'failed'; message: string };

/** A runtime's message may carry the whole command: enough of it for a line. */
const messageLimit = 400;

/** Reads the `Status` object at the end of the protocol `v4.channel.k8s.io`. */
export function parseExit(status: unknown): Exit {
  const { status: word, message, details } = fieldsOf(status);
  if (word === 'Success') return { type: 'exited', code: 0 };
  const { causes } = fieldsOf(details);
  const cause = (Array.isArray(causes) ? causes : [])
    .map(fieldsOf)
    .find(({ reason }) => reason === 'ExitCode');
  const code = Number(cause?.message);
  if (cause !== undefined && Number.isInteger(code)) return { type: 'exited', code };
  const said = typeof message === 'string' ? message : 'the answer has no exit code';
  return { type: 'failed', message: printable(said.trim()).slice(0, messageLimit) };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
