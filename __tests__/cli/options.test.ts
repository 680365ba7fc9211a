import { describe, expect, test } from '@jest/globals';
import { allCommands } from '../../lib/commands/index.js';
import { resolveOptions, variableOf } from '../../lib/cli/options.js';
import { runOptions } from '../../lib/commands/run/options.js';
import { parseCommandLine } from '../../lib/cli/program.js';
import { boolean, duration, shard, size, time, type Parsed } from '../../lib/cli/values.js';

const commands = await allCommands();

const value = <T>(parsed: Parsed<T>) => ('value' in parsed ? parsed.value : null);

describe('values', () => {
  test.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['26h', 93_600_000],
    ['7d', 604_800_000],
    ['90', null],
    ['0s', 0],
    ['-1s', null],
    ['-5m', null],
    ['', null],
    ['1w', null],
  ])('duration %s', (text, expected) => {
    expect(value(duration(text))).toBe(expected);
  });

  test.each([
    ['500MiB', 524_288_000],
    ['2GiB', 2_147_483_648],
    ['2', null],
    ['2GB', null],
  ])('size %s', (text, expected) => {
    expect(value(size(text))).toBe(expected);
  });

  test.each([
    ['TRUE', true],
    ['1', true],
    ['false', false],
    ['0', false],
    ['yes', null],
  ])('boolean %s', (text, expected) => {
    expect(value(boolean(text))).toBe(expected);
  });

  test('shards count from 0', () => {
    expect(value(shard('3/4'))).toEqual({ index: 3, count: 4 });
    for (const wrong of ['4/4', '1', '-1/4', '1/0', 'a/b']) expect(value(shard(wrong))).toBeNull();
  });

  test('a time without a zone is UTC', () => {
    expect(value(time('2026-01-31 12:00:00'))).toBe(Date.parse('2026-01-31T12:00:00Z'));
    expect(value(time('2026-01-31T12:00:00+02:00'))).toBe(Date.parse('2026-01-31T10:00:00Z'));
    expect(value(time('yesterday'))).toBeNull();
  });
});

describe('options', () => {
  test('flag beats environment, an empty variable counts as unset', () => {
    const env = { CEPHBACKUP_CONCURRENCY: '7', CEPHBACKUP_MAPPER: '', CEPHBACKUP_NAMESPACE: 'a, b,' };
    expect(resolveOptions(runOptions, {}, env).values).toMatchObject({
      concurrency: 7,
      mapper: null,
      namespaces: ['a', 'b'],
    });
    expect(resolveOptions(runOptions, { concurrency: '2' }, env).values.concurrency).toBe(2);
  });

  test('all mistakes are named at once', () => {
    const env = { CEPHBACKUP_MIN_AGE: '26', CEPHBACKUP_ALLOW_EMPTY: 'perhaps' };
    const { mistakes } = resolveOptions(runOptions, { concurrency: '0', pvcs: ['a/b', 'c'] }, env);
    expect(mistakes).toHaveLength(4);
    for (const name of ['--concurrency', '--pvc', 'CEPHBACKUP_MIN_AGE', 'CEPHBACKUP_ALLOW_EMPTY']) {
      expect(mistakes.join('\n')).toContain(name);
    }
  });

  test('one flag means the same in every command', () => {
    const meanings = new Map<string, string>();
    for (const { options } of commands) {
      for (const { flag, placeholder = '' } of Object.values(options)) {
        expect(meanings.get(flag) ?? placeholder).toBe(placeholder);
        meanings.set(flag, placeholder);
      }
    }
    expect(variableOf('--min-age')).toBe('CEPHBACKUP_MIN_AGE');
  });
});

describe('command line', () => {
  const parse = (...argv: string[]) => parseCommandLine(commands, argv, '1.2.3');

  test('a command with options', () => {
    expect(
      parse('run', '--concurrency', '2', '--namespace=a', '--namespace', 'b', '--dry-run'),
    ).toMatchObject({
      type: 'command',
      raw: { concurrency: '2', namespaces: ['a', 'b'], dryRun: true },
      operands: [],
      mistakes: [],
    });
  });

  test.each([[[]], [['frobnicate']], [['run', '--concurrency']]])('%j is a usage error', (argv) => {
    expect(parse(...argv).type).toBe('usage');
  });

  test('unknown options and operands are collected', () => {
    expect(parse('run', '--bogus', '--concurrency', '2', '--other')).toMatchObject({
      mistakes: ['unknown option "--bogus"', 'unknown option "--other"'],
    });
    expect(parse('list', 'extra')).toMatchObject({ mistakes: ['unexpected operand "extra"'] });
  });

  test.each([
    [['rnu'], 'run'],
    [['snapshot'], 'snapshots'],
    [['run', '--concurency', '2'], '--concurrency'],
    [['run', '--dryrun'], '--dry-run'],
    [['run', '--no-dryrun'], '--no-dry-run'],
  ])('%j is answered with what was meant', (argv, meant) => {
    const line = parse(...argv);
    const said = line.type === 'command' ? line.mistakes : line.type === 'usage' ? [line.message] : [];
    expect(said.join()).toMatch(/[Dd]id you mean/);
    expect(said.join()).toContain(meant);
  });

  test('a switch is switched off by its --no-, also over its variable; the last one counts', () => {
    const dryRun = (...argv: string[]) => {
      const line = parse('run', ...argv);
      if (line.type !== 'command') throw new Error(line.text);
      return resolveOptions(runOptions, line.raw, { CEPHBACKUP_DRY_RUN: 'true' }).values.dryRun;
    };
    expect(dryRun()).toBe(true);
    expect(dryRun('--no-dry-run')).toBe(false);
    expect(dryRun('--no-dry-run', '--dry-run')).toBe(true);
  });

  test('help and version are no errors', () => {
    expect(parse('--help')).toMatchObject({
      type: 'help',
      text: expect.stringContaining('run') as unknown as string,
    });
    expect(parse('run', '--help')).toMatchObject({
      type: 'help',
      text: expect.stringContaining('--mapper') as unknown as string,
    });
    expect(parse('--version')).toEqual({ type: 'help', text: '1.2.3\n' });
  });
});
