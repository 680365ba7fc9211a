import { describe, expect, test } from '@jest/globals';
import { answerText } from '../../lib/page/answer.js';
import { byteAxis, countAxis } from '../../lib/page/axis.js';
import { claimOperand } from '../../lib/page/commands.js';
import { html, json, visible } from '../../lib/page/html.js';
import { trendOf } from '../../lib/page/trend.js';
import { percent } from '../../lib/page/words.js';
import { statusOf } from '../../lib/plan/status.js';
import { now, planOf, prefix, type Entry } from '../plan/world.js';

const hourMs = 3_600_000;
const backedUp = (hours: number) => ({
  'last-backup': new Date(now.getTime() - hours * hourMs).toISOString(),
});
const answer = (...entries: Entry[]) =>
  answerText(statusOf(planOf(entries), { prefix, now, maxAgeMs: 26 * hourMs, stored: null }));

describe('the answer in one sentence', () => {
  test.each<[string, Entry[], string]>([
    ['nothing there', [], 'No claims found.'],
    ['nothing selected', [{ claim: 'a/b', pvc: { backup: 'false' } }], 'No claim is to be backed up.'],
    ['one that is ok', [{ claim: 'a/b', pv: backedUp(1) }], 'The volume to be backed up is ok.'],
    [
      'all ok, one failed since',
      [
        {
          claim: 'a/b',
          pv: { ...backedUp(9), 'last-error': 'POOL_FULL', 'last-attempt': now.toISOString() },
        },
        { claim: 'a/c', pv: backedUp(1) },
      ],
      'All 2 volumes to be backed up are ok; 1 failed in the last attempt.',
    ],
    [
      'not all ok',
      [
        { claim: 'a/b', pv: backedUp(27) },
        { claim: 'a/c' },
        { claim: 'a/d', pv: backedUp(1) },
        { claim: 'a/e', pvc: { backup: 'false' } },
      ],
      '1 of 3 volumes to be backed up is ok: 1 stale, 1 never; 1 not covered.',
    ],
  ])('%s', (_, entries, expected) => {
    expect(answer(...entries)).toBe(expected);
  });
});

test('a share is neither all nor nothing unless it is', () => {
  expect([percent(999, 1000), percent(1, 1000), percent(0, 9), percent(9, 9), percent(0, 0)]).toEqual([
    '>99%',
    '<1%',
    '0%',
    '100%',
    '0%',
  ]);
});

describe('a command that is copied from the page', () => {
  test('names a claim as it is', () => {
    expect(claimOperand('shop', 'orders-db.0')).toBe('shop/orders-db.0');
  });
  test('quotes what a shell would read', () => {
    expect(claimOperand('a', '$(reboot)')).toBe(`'a/$(reboot)'`);
    expect(claimOperand('a', `b'; reboot #`)).toBe(`'a/b'\\''; reboot #'`);
  });
  test('is not given where the name would end the line, be an option, or look like another', () => {
    expect([claimOperand('a', 'b\nreboot'), claimOperand('-rf', 'b'), claimOperand('a', 'раypal')]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

describe('markup', () => {
  const hostile = `</script><img src=x onerror="alert('1')">&\`\u202e`;
  test('has values as text, and markup as markup', () => {
    expect(html`<p title="${hostile}">${hostile}</p>`.text).not.toMatch(/<img|"alert|\u202e/);
    const items = ['<', '&'].map((item) => html`<b>${item}</b>`);
    expect(html`<i>${items}</i>`.text).toBe('<i><b>&lt;</b><b>&amp;</b></i>');
  });
  test('has data in which nothing ends an element', () => {
    expect(json({ hostile }).text).not.toMatch(/[<>&]/);
    expect(JSON.parse(json({ hostile }).text)).toEqual({ hostile });
  });
  test('shows what cannot be seen', () => {
    expect(visible('a\u200bb\u202ec\u0000d\ud800')).toBe('a\\u200bb\\u202ec\\u0000d\\ud800');
  });
});

describe('axes', () => {
  test.each([
    [0, ['0', '0.1 B']],
    [900, ['0', '500 B', '1,000 B']],
    [1024 ** 3 * 4.1, ['0', '2 GiB', '4 GiB', '6 GiB']],
  ])('of %d bytes', (largest, labels) => {
    expect(byteAxis(largest).ticks.map(({ label }) => label)).toEqual(labels);
    expect(byteAxis(largest).top).toBeGreaterThanOrEqual(largest);
  });
  test('what is counted has no fractions', () => {
    expect(countAxis(2).ticks.map(({ label }) => label)).toEqual(['0', '1', '2']);
  });
});

test('growth: the newest proven backup of each day counts, until the next', () => {
  const madeMs = Date.parse('2026-03-18T07:30:00Z');
  const backup = (daysAgo: number, sizeBytes: number, proven = true) => ({
    ...{ id: 'a', timeMs: madeMs - daysAgo * 86_400_000, sizeBytes, addedBytes: 1, proven },
  });
  const trend = trendOf(
    {
      backups: new Map([['u', [backup(100, 5), backup(3, 10), backup(2, 99, false), backup(1, 20)]]]),
      gone: [],
    },
    madeMs,
  );
  expect(trend.heldBytes.slice(-5)).toEqual([5, 10, 10, 20, 20]);
  expect(trend.addedBytes.slice(-5)).toEqual([0, 1, 1, 1, 0]);
  expect(trend.backups.slice(-5)).toEqual([0, 1, 0, 1, 0]);
});
