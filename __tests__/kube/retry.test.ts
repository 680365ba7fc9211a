import { describe, expect, test } from '@jest/globals';
import { parseRetryAfter, retryDelay, type Attempt, type Failure } from '../../lib/kube/retry.js';

const attempt: Omit<Attempt, 'failure' | 'repeatable'> = {
  count: 1,
  elapsedMs: 0,
  patienceMs: 60_000,
  jitter: 1,
};
const status = (code: number, retryAfter: number | null = null): Failure => ({
  kind: 'status',
  status: code,
  retryAfter: retryAfter,
});
const network = (code: string): Failure => ({ kind: 'network', code });

describe('what is tried again', () => {
  test.each<[string, Failure, 'always' | 'if repeatable' | 'never']>([
    ['too many requests', status(429), 'always'],
    ['server error', status(500), 'if repeatable'],
    ['bad gateway', status(502), 'if repeatable'],
    ['unavailable', status(503), 'if repeatable'],
    ['gateway timeout', status(504), 'if repeatable'],
    ['request timeout', status(408), 'if repeatable'],
    ['bad request', status(400), 'never'],
    ['unauthorized', status(401), 'never'],
    ['forbidden', status(403), 'never'],
    ['not found', status(404), 'never'],
    ['conflict', status(409), 'never'],
    ['expired', status(410), 'never'],
    ['invalid', status(422), 'never'],
    ['a redirect', status(302), 'never'],
    ['connection refused', network('ECONNREFUSED'), 'always'],
    ['no such host', network('ENOTFOUND'), 'always'],
    ['resolver busy', network('EAI_AGAIN'), 'always'],
    ['no route', network('EHOSTUNREACH'), 'always'],
    ['connection reset', network('ECONNRESET'), 'if repeatable'],
    ['connection closed', network('EPIPE'), 'if repeatable'],
    ['no answer in time', network('TIMEOUT'), 'if repeatable'],
    ['unknown certificate authority', network('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'never'],
    ['expired certificate', network('CERT_HAS_EXPIRED'), 'never'],
    ['no HTTP', network('HPE_INVALID_CONSTANT'), 'never'],
    ['no TLS', network('EPROTO'), 'never'],
    ['something unheard of', network('ESOMETHING'), 'never'],
  ])('%s', (_name, failure, when) => {
    expect(retryDelay({ ...attempt, failure, repeatable: true }) !== null).toBe(when !== 'never');
    expect(retryDelay({ ...attempt, failure, repeatable: false }) !== null).toBe(when === 'always');
  });
});

describe('how long is waited', () => {
  const delay = (changes: Partial<Attempt>) =>
    retryDelay({ ...attempt, failure: status(503), repeatable: true, ...changes });

  test('longer each time, up to five seconds', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 50].map((count) => delay({ count }))).toEqual([
      250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000,
    ]);
  });

  test('spread by up to a half', () => {
    expect(delay({ count: 3, jitter: 0 })).toBe(500);
    expect(delay({ count: 3, jitter: 0.5 })).toBe(750);
  });

  test('as long as the server asks for, but not beyond patience', () => {
    expect(delay({ failure: status(429, 7_000) })).toBe(7_000);
    expect(delay({ failure: status(503, 100), count: 3 })).toBe(1_000);
    expect(delay({ failure: status(429, 59_000) })).toBe(59_000);
    expect(delay({ failure: status(429, 60_000) })).toBeNull();
    expect(delay({ failure: status(429, 7_000), elapsedMs: 54_000 })).toBeNull();
    expect(delay({ elapsedMs: 59_900 })).toBeNull();
    expect(delay({ patienceMs: 0 })).toBeNull();
  });
});

describe('Retry-After', () => {
  const date = 'Fri, 02 Jan 2026 03:04:05 GMT';
  test.each([
    [undefined, date, null],
    ['7', undefined, 7_000],
    [' 0 ', date, 0],
    ['Fri, 02 Jan 2026 03:04:15 GMT', date, 10_000],
    ['Fri, 02 Jan 2026 03:04:00 GMT', date, 0],
    ['Fri, 02 Jan 2026 03:04:15 GMT', undefined, null],
    ['soon', date, null],
    ['-5', date, null],
  ])('%s', (value, serverDate, expected) => {
    expect(parseRetryAfter(value, serverDate)).toBe(expected);
  });
});
