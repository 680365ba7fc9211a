import { printable } from '../log/logger.js';

/** The annotations of a pod that say what to do around a snapshot, without the prefix. */
export const hookKeys = [
  'pre-snapshot',
  'post-snapshot',
  'hook-container',
  'hook-timeout',
  'hook-on-error',
] as const;
export type HookKey = (typeof hookKeys)[number];

export interface HookSettings {
  /** argv; null where there is none. */
  pre: readonly string[] | null;
  post: readonly string[] | null;
  /** Null: the pod's own default. */
  container: string | null;
  timeoutMs: number;
  onError: 'fail' | 'continue';
  /** Why the pod's hooks cannot be run; null where they can. */
  problem: string | null;
  warnings: string[];
}

const defaultTimeoutMs = 30_000;
/** Nobody's application is held for longer by one command. */
const longestTimeoutMs = 600_000;
const unitsMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Null where a pod has no hook. */
export function parseHooks(
  annotations: Readonly<Record<string, unknown>>,
  prefix: string,
): HookSettings | null {
  const get = (key: HookKey): string | null => {
    const name = `${prefix}/${key}`;
    const value = Object.hasOwn(annotations, name) ? annotations[name] : null;
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
  };
  if (get('pre-snapshot') === null && get('post-snapshot') === null) return null;
  const pre = parseCommand(get('pre-snapshot'));
  const post = parseCommand(get('post-snapshot'));
  const unreadable = [
    pre === 'unreadable' ? 'pre-snapshot' : null,
    post === 'unreadable' ? 'post-snapshot' : null,
  ];
  const named = unreadable.filter((key) => key !== null).map((key) => `annotation ${prefix}/${key}`);
  const warnings: string[] = [];
  const odd = (key: HookKey, expected: string, instead: string) => {
    const value = printable(JSON.stringify(get(key))).slice(0, 80);
    warnings.push(`annotation ${prefix}/${key} has the value ${value}, which is not ${expected}: ${instead}`);
  };
  return {
    pre: pre === 'unreadable' ? null : pre,
    post: post === 'unreadable' ? null : post,
    container: get('hook-container'),
    timeoutMs: parseTimeout(get('hook-timeout'), odd),
    onError: parseOnError(get('hook-on-error'), odd),
    problem: named.length === 0 ? null : `${named.join(' and ')} begins with [ and is no JSON array of words`,
    warnings,
  };
}

type Odd = (key: HookKey, expected: string, instead: string) => void;

/** A JSON array of words is argv as it stands, anything else is a line for the container's own shell. */
function parseCommand(value: string | null): readonly string[] | 'unreadable' | null {
  if (value === null) return null;
  const line = ['/bin/sh', '-c', value];
  if (!value.startsWith('[')) return line;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    // The shell's own `[ -e file ] && ...` begins with a word of one or two brackets.
    return /^\[\[?\s/.test(value) ? line : 'unreadable';
  }
  const words = Array.isArray(parsed) && parsed.every((word) => typeof word === 'string') ? parsed : [];
  return words.length > 0 && words[0] !== '' ? words : 'unreadable';
}

function parseTimeout(value: string | null, odd: Odd): number {
  if (value === null) return defaultTimeoutMs;
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(value);
  const timeoutMs = Number(match?.[1]) * (unitsMs[match?.[2] ?? ''] ?? NaN);
  if (!(timeoutMs > 0)) {
    odd('hook-timeout', 'a duration such as 30s or 2m', `${defaultTimeoutMs / 1000} s count`);
    return defaultTimeoutMs;
  }
  if (timeoutMs <= longestTimeoutMs) return timeoutMs;
  odd('hook-timeout', 'at most 10m', '10 minutes count');
  return longestTimeoutMs;
}

function parseOnError(value: string | null, odd: Odd): HookSettings['onError'] {
  const word = value?.toLowerCase() ?? 'fail';
  if (word === 'fail' || word === 'continue') return word;
  odd('hook-on-error', 'fail or continue', 'fail counts');
  return 'fail';
}
