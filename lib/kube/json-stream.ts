import { messageOf } from '../errors/error.js';

/** A document within a text, as far as brackets tell. */
interface Part {
  start: number;
  end: number;
}

/** Says what is wrong and, as far as can be told, at which line and column (both from 1). */
export class JsonError extends Error {}

const token =
  /\s*(?:[,:]|([{[])|([}\]])|"(?:[^"\\\u0000-\u001f]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;

/**
 * One JSON document, or several after another as `kubectl get … ; kubectl get …` leaves them in a file.
 *
 * @throws JsonError that says where
 */
export function parseJsonStream(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch (cause) {
    const { parts, stop } = scan(text);
    if (parts.length < 2) throw located(text, { start: 0, end: text.length }, stop, cause);
    return parts.map((part) => {
      try {
        return JSON.parse(text.slice(part.start, part.end)) as unknown;
      } catch (inner) {
        throw located(text, part, stop, inner);
      }
    });
  }
}

/** Where the documents of a stream are, and where it stops being made of JSON's tokens. */
function scan(text: string): { parts: Part[]; stop: number } {
  const parts: Part[] = [];
  let depth = 0;
  let start = 0;
  let stop = 0;
  token.lastIndex = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    stop = token.lastIndex;
    if (match[1] !== undefined) depth += 1;
    if (match[2] === undefined || (depth -= 1) > 0) continue;
    parts.push({ start, end: stop });
    start = stop;
  }
  if (text.slice(start).trim() !== '') parts.push({ start, end: text.length });
  return { parts, stop };
}

/** JavaScript's own message has a position only sometimes; where it has none, it quotes what surrounds the place. */
function located(text: string, part: Part, stop: number, cause: unknown): JsonError {
  const message = messageOf(cause);
  const position = /at position (\d+)/.exec(message)?.[1];
  const what = message.replace(/ in JSON at .*| \(line \d.*/s, '');
  if (position !== undefined) return at(part.start + Number(position), what);
  if (message.startsWith('Unexpected end')) return at(part.end, 'it ends too early, or is cut off');
  const rest = text.slice(stop, part.end).trimStart();
  return rest === '' ? new JsonError(what, { cause }) : at(part.end - rest.length, what);

  function at(offset: number, problem: string): JsonError {
    const before = text.slice(0, offset).split('\n');
    const column = (before.at(-1)?.length ?? 0) + 1;
    return new JsonError(`line ${before.length}, column ${column}: ${problem}`, { cause });
  }
}
