import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import yaml from 'js-yaml';
import { commands } from '../../lib/commands/index.js';
import { chart, withValuesTable } from '../../sandbox/chart/readme.js';
import { chartValues } from '../../sandbox/chart/values-table.js';
import { flips } from './flips.js';

const text = (name: string) => readFileSync(`${chart}/${name}`, 'utf8');
const values = text('values.yaml');
const schedulable = ['run', 'verify', 'prune'];
const existing = schedulable.filter((name) => commands.some((command) => command.name === name));

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
}

test('the table in the README is what values.yaml says (`npm run docs` writes it)', () => {
  const readme = text('README.md');
  expect(withValuesTable(readme, values)).toBe(readme);
});

test('the chart and its program have one version', () => {
  const { version, appVersion } = yaml.load(text('Chart.yaml')) as { version: string; appVersion: string };
  const program = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect([version, appVersion]).toEqual([program.version, program.version]);
});

test('the chart knows which commands there are to schedule', () => {
  const listed = /define "cephbackup.commands" -}}\n(.*)\n/.exec(text('templates/_validate.tpl'))?.[1];
  expect(yaml.load(listed ?? '')).toEqual(existing);
});

test('every value of a command that exists is flipped in the tests', () => {
  const all = chartValues(values).map(({ path }) => path);
  const waiting = schedulable.filter((name) => !existing.includes(name)).map((name) => `${name}.`);
  expect(Object.keys(flips)).toEqual(all.filter((path) => !waiting.some((name) => path.startsWith(name))));
});

describe('the schema', () => {
  const schema = JSON.parse(text('values.schema.json')) as Schema;

  test.each(chartValues(values).map(({ path }) => path))('knows %s', (path) => {
    let at: Schema | undefined = schema;
    for (const key of path.split('.')) {
      // A typo in any of its keys is refused.
      expect(at?.additionalProperties).toBe(false);
      at = at?.properties?.[key];
    }
    expect(at).toBeDefined();
  });

  test('knows no value that does not exist', () => {
    const paths = (at: Schema, path: string): string[] =>
      at.properties === undefined
        ? [path]
        : Object.entries(at.properties).flatMap(([key, child]) =>
            paths(child, path === '' ? key : `${path}.${key}`),
          );
    const known = chartValues(values).map(({ path }) => path);
    const documented = paths(schema, '').filter((path) => path !== 'global');
    expect(documented.filter((path) => !known.includes(path))).toEqual([]);
  });
});

test('a value without a comment is a mistake', () => {
  expect(() => chartValues('# -- Fine.\na: 1\nb:\n  # not so\n  c: 2\n')).toThrow('b.c');
});
