import { CephbackupError } from '../errors/error.js';
import { quote } from './warnings.js';

type Labels = Readonly<Record<string, unknown>>;
type Matcher = (labels: Labels) => boolean;

/** A name, with an optional DNS subdomain before it. */
const key = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const value = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/**
 * A label selector as `kubectl -l` takes it: requirements that are all to be met, separated by commas, each `key`,
 * `!key`, `key=value`, `key==value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key>1` or `key<1`. As in
 * Kubernetes, `!=` and `notin` also match what has no such label.
 *
 * @throws CephbackupError USAGE
 */
export function parseSelector(selector: string): Matcher {
  const requirements = split(selector).map((part) => requirement(part, selector));
  return (labels) => requirements.every((matches) => matches(labels));
}

/** By commas, except those between parentheses. */
function split(selector: string): string[] {
  if (selector.trim() === '') return [];
  return selector.split(/,(?![^()]*\))/);
}

function requirement(part: string, selector: string): Matcher {
  const trimmed = part.trim();
  const set = /^(\S+?)\s+(in|notin)\s*\(([^()]*)\)$/.exec(trimmed);
  if (set !== null) {
    const [, name = '', operator, list = ''] = set;
    const values = list.split(',').map((item) => item.trim());
    check(name, values, trimmed, selector);
    return operator === 'in' ? isOneOf(name, values) : not(isOneOf(name, values));
  }
  const comparison = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*(\S*)$/.exec(trimmed);
  if (comparison !== null) {
    const [, name = '', operator, wanted = ''] = comparison;
    check(name, [wanted], trimmed, selector);
    if (operator === '>' || operator === '<') return compares(name, operator, wanted, trimmed, selector);
    return operator === '!=' ? not(isOneOf(name, [wanted])) : isOneOf(name, [wanted]);
  }
  const existence = /^(!?)\s*([^\s!]*)$/.exec(trimmed);
  if (existence === null) throw mistake(trimmed, selector, 'is no requirement');
  const [, negated, name = ''] = existence;
  check(name, [], trimmed, selector);
  return negated === '!' ? not(has(name)) : has(name);
}

function compares(
  name: string,
  operator: '>' | '<',
  wanted: string,
  part: string,
  selector: string,
): Matcher {
  if (!/^-?\d+$/.test(wanted)) throw mistake(part, selector, 'compares with what is no whole number');
  return (labels) => {
    const found = label(labels, name);
    if (found === null || !/^-?\d+$/.test(found)) return false;
    return operator === '>' ? Number(found) > Number(wanted) : Number(found) < Number(wanted);
  };
}

const not =
  (matcher: Matcher): Matcher =>
  (labels) =>
    !matcher(labels);
const has =
  (name: string): Matcher =>
  (labels) =>
    label(labels, name) !== null;
const isOneOf =
  (name: string, values: readonly string[]): Matcher =>
  (labels) => {
    const found = label(labels, name);
    return found !== null && values.includes(found);
  };

function label(labels: Labels, name: string): string | null {
  const found = Object.hasOwn(labels, name) ? labels[name] : null;
  return typeof found === 'string' ? found : null;
}

function check(name: string, values: readonly string[], part: string, selector: string): void {
  if (!key.test(name)) throw mistake(part, selector, `has no valid label name`);
  for (const wanted of values) {
    if (!value.test(wanted)) throw mistake(part, selector, `has ${quote(wanted)}, which is no label value`);
  }
}

function mistake(part: string, selector: string, problem: string): CephbackupError {
  const where = part === selector.trim() ? '' : ` in ${quote(selector)}`;
  return new CephbackupError('USAGE', `label selector: ${quote(part)}${where} ${problem}`, {
    guidance: 'Write label selectors as for `kubectl -l`, e.g. `app=web,tier in (db,cache),!scratch`.',
  });
}
