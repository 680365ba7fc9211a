import type { EpochMs } from '../log/time.js';
import { isImageSpecName, type ImageSpec } from '../tools/rbd/image-spec.js';

/** Parsers for the values of options. Each returns the value, or a text that says what is expected instead. */
export type Parsed<T> = { value: T } | { expected: string };
export type Parser<T> = (text: string) => Parsed<T>;

const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizes: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `90s`, `15m`, `26h`, `7d` in milliseconds; `0s` is none. */
export const duration: Parser<number> = (text) => {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text);
  const milliseconds = Number(match?.[1]) * (units[match?.[2] ?? ''] ?? NaN);
  return milliseconds >= 0
    ? { value: milliseconds }
    : { expected: 'a duration with a unit, e.g. 90s, 15m, 26h or 7d' };
};

/** A limit that was given as `0s` is none. */
export function unlessNone(durationMs: number | null): number | null {
  return durationMs === 0 ? null : durationMs;
}

/** `500MiB`, `2GiB` in bytes. */
export const size: Parser<number> = (text) => {
  const match = /^(\d+(?:\.\d+)?)(B|[KMGT]iB)$/.exec(text);
  const bytes = Number(match?.[1]) * (sizes[match?.[2] ?? ''] ?? NaN);
  return bytes > 0 ? { value: Math.round(bytes) } : { expected: 'a size with a unit, e.g. 500MiB or 2GiB' };
};

/** `http://` or `https://`, perhaps with credentials. */
export const webUrl: Parser<string> = (text) =>
  /^https?:\/\/[^/]/.test(text) && URL.canParse(text)
    ? { value: text }
    : { expected: 'a URL that begins with http:// or https://' };

export function integer(least: number, most: number): Parser<number> {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    return value >= least && value <= most
      ? { value }
      : { expected: `a whole number from ${least} to ${most}` };
  };
}

export function oneOf<const T extends string>(...values: T[]): Parser<T> {
  return (text) => {
    const value = values.find((candidate) => candidate === text);
    return value === undefined ? { expected: `one of ${values.join(', ')}` } : { value };
  };
}

export const boolean: Parser<boolean> = (text) => {
  const value = { true: true, '1': true, false: false, '0': false }[text.toLowerCase()];
  return value === undefined ? { expected: 'true, false, 1 or 0' } : { value };
};

export const text: Parser<string> = (value) => ({ value });

export function matching(pattern: RegExp, expected: string): Parser<string> {
  return (value) => (pattern.test(value) ? { value } : { expected });
}

const name = '[a-z0-9]([-a-z0-9.]*[a-z0-9])?';
/** The name of a Kubernetes object. */
export const objectName = matching(new RegExp(`^${name}$`), 'the name of a Kubernetes object');
/** `NAMESPACE/PVC`. */
export const claimName = matching(new RegExp(`^${name}/${name}$`), 'NAMESPACE/PVC');

/** `NAMESPACE/GROUP`, as the annotation names it. */
export const groupName = matching(
  new RegExp(`^${name}/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`),
  'NAMESPACE/GROUP',
);

/** A path of this node. */
export const path: Parser<string> = (value) =>
  value !== '' && !value.includes('\0') ? { value } : { expected: 'a path' };

/** A path within a filesystem, as `/a/b`; the leading slash may be left out. */
export const innerPath: Parser<string> = (value) => {
  const parts = value.split('/').filter((part) => part !== '' && part !== '.');
  const valid = parts.length > 0 && !parts.includes('..') && !value.includes('\0');
  return valid
    ? { value: `/${parts.join('/')}` }
    : { expected: 'a path below the root of the volume, without ..' };
};

/** `POOL[/RADOSNS]/IMAGE`, with names that rbd's image specs can carry. */
export const imageName: Parser<ImageSpec> = (value) => {
  const parts = value.split('/');
  const [pool, image] = [parts[0], parts.at(-1)];
  const namespace = parts.length === 3 ? (parts[1] ?? null) : null;
  const valid = (parts.length === 2 || parts.length === 3) && parts.every(isImageSpecName);
  return valid && pool !== undefined && image !== undefined
    ? { value: { pool, namespace, image } }
    : { expected: 'POOL/IMAGE or POOL/RADOSNAMESPACE/IMAGE' };
};

export interface Shard {
  index: number;
  count: number;
}

/** `I/N`, I from 0. */
export const shard: Parser<Shard> = (value) => {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(value);
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  return index < count ? { value: { index, count } } : { expected: 'I/N with I from 0 to N - 1, e.g. 0/4' };
};

/** A point in time, RFC 3339; without a zone it is UTC. */
export const time: Parser<EpochMs> = (value) => {
  const match = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(
    value,
  );
  const zoned = match !== null && match[1] === undefined && value.length > 10 ? `${value}Z` : value;
  const ms = match === null ? NaN : Date.parse(zoned.replace(' ', 'T'));
  return Number.isNaN(ms) ? { expected: 'a time, e.g. 2026-01-31T12:00:00Z' } : { value: ms };
};
