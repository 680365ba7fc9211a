import { describe, expect, test } from '@jest/globals';
import { parseSelector } from '../../lib/plan/selector.js';

/** Sets of labels, by a letter each. */
const sets: Record<string, Record<string, unknown>> = {
  n: {},
  w: { app: 'web' },
  d: { app: 'db', tier: '10' },
  e: { app: '' },
  x: { 'example.com/app': 'web', tier: '9' },
  o: { app: 5, tier: null },
};

function matched(selector: string): string {
  const matches = parseSelector(selector);
  return Object.entries(sets)
    .filter(([, labels]) => matches(labels))
    .map(([letter]) => letter)
    .join('');
}

describe('a label selector', () => {
  // As `kubectl get -l` behaves, by Kubernetes' documentation of labels and selectors.
  test.each([
    ['', 'nwdexo'],
    ['  ', 'nwdexo'],
    ['app', 'wde'],
    ['!app', 'nxo'],
    ['! app', 'nxo'],
    ['app=web', 'w'],
    ['app==web', 'w'],
    ['app = web', 'w'],
    ['app=', 'e'],
    ['app!=web', 'ndexo'],
    ['app != web', 'ndexo'],
    ['app in (web)', 'w'],
    ['app in (web, db)', 'wd'],
    ['app in(web,db)', 'wd'],
    ['app in ( web , db )', 'wd'],
    ['app in ()', 'e'],
    ['app in (,web)', 'we'],
    ['app notin (web,db)', 'nexo'],
    ['app,tier', 'd'],
    ['app in (web,db),!tier', 'w'],
    ['app notin (web),tier', 'dx'],
    ['tier in (9,10),app=db', 'd'],
    ['tier>9', 'd'],
    ['tier > 8', 'dx'],
    ['tier<10', 'x'],
    ['example.com/app=web', 'x'],
    ['example.com/app in (web)', 'x'],
    ['toString', ''],
    ['!constructor', 'nwdexo'],
    ['in', ''],
    ['notin in (a)', ''],
  ])('%j', (selector, expected) => {
    expect(matched(selector)).toBe(expected);
  });

  test.each([
    ['app=web,', 'has no valid label name'],
    [',', 'has no valid label name'],
    ['=web', 'has no valid label name'],
    ['app web', 'is no requirement'],
    ['app in web', 'is no requirement'],
    ['app in (web', 'is no requirement'],
    ['app in (web))', 'is no requirement'],
    ['app notin', 'is no requirement'],
    ['app=web db', 'is no requirement'],
    ['!app=web', 'has no valid label name'],
    ['app=a=b', '"a=b", which is no label value'],
    ['app=-a', '"-a", which is no label value'],
    ['-app=a', 'has no valid label name'],
    ['a/b/c', 'has no valid label name'],
    ['a'.repeat(64), 'has no valid label name'],
    [`app=${'a'.repeat(64)}`, 'which is no label value'],
    ['tier>x', 'compares with what is no whole number'],
    ['tier>', 'compares with what is no whole number'],
    ['app\u001b', 'has no valid label name'],
  ])('%j is none', (selector, problem) => {
    expect(() => parseSelector(selector)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(problem) as unknown }),
    );
  });

  test('that is wrong in one part says which, with control characters visible', () => {
    expect(() => parseSelector('app=web,a b\u0007')).toThrow(
      'label selector: "a b\\u0007" in "app=web,a b\\u0007" is no requirement',
    );
  });
});
