import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';

interface Import {
  from: string;
  to: string;
  /** Whether it is needed at run time, and not for types alone. */
  atRunTime: boolean;
}

const files = readdirSync('lib', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `lib/${file}`)
  .sort();

const imports = files.flatMap(importsOf);
/** The floors as the document draws them, from the ground up. */
const floors = (/```floors\n([\s\S]*?)```/.exec(readFileSync('docs/architecture.md', 'utf8'))?.[1] ?? '')
  .trim()
  .split('\n')
  .map((line) => (line.split('│')[0] ?? '').trim().split(/\s+/))
  .toReversed();

function importsOf(from: string): Import[] {
  const text = readFileSync(from, 'utf8');
  const found = text.matchAll(/^(?:import|export)\s(type\s)?[^;]*?from '(\.[^']+)';|import\('(\.[^']+)'\)/gm);
  return [...found].map(([, type, statically, lazily]) => ({
    from,
    to: path.join(path.dirname(from), statically ?? lazily ?? '').replace(/\.js$/, '.ts'),
    atRunTime: type === undefined && statically !== undefined,
  }));
}

const roomOf = (file: string) => file.split('/')[1] ?? '';
const floorOf = (room: string) => floors.findIndex((rooms) => rooms.includes(room));

test('the drawing has every room of lib on one floor, and every import goes down', () => {
  expect(floors.flat().sort()).toEqual(readdirSync('lib').sort());
  const wrong = imports.filter(
    ({ from, to }) =>
      roomOf(from) !== roomOf(to) && (!to.startsWith('lib/') || floorOf(roomOf(to)) >= floorOf(roomOf(from))),
  );
  expect(wrong).toEqual([]);
});

test('no files import each other in a circle, but for types within one folder', () => {
  const next = new Map(files.map((file): [string, string[]] => [file, []]));
  for (const { from, to, atRunTime } of imports) {
    if (atRunTime || path.dirname(from) !== path.dirname(to)) next.get(from)?.push(to);
  }
  const circles: string[][] = [];
  const done = new Set<string>();
  const walk = (file: string, trail: string[]) => {
    const start = trail.indexOf(file);
    if (start >= 0) circles.push([...trail.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const other of next.get(file) ?? []) walk(other, [...trail, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  expect(circles).toEqual([]);
});

test('a command is a folder, listed in one place', () => {
  const folders = readdirSync('lib/commands', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'shared')
    .map(({ name }) => name);
  const listed = [
    ...readFileSync('lib/commands/index.ts', 'utf8').matchAll(/import\('\.\/([a-z]+)\/index\.js'\)/g),
  ].map(([, name]) => name);
  expect(listed.sort()).toEqual(folders.sort());
});

test('no file is named by a prefix of a neighbour, file or folder', () => {
  const named = files.filter((file) => {
    const folder = path.dirname(file);
    const stem = path.basename(file, '.ts');
    return readdirSync(folder).some(
      (other) => other === stem || (other.endsWith('.ts') && other.startsWith(`${stem}-`)),
    );
  });
  expect(named).toEqual([]);
});

test('only the entry, lib/cli and what starts processes know `process` and child processes', () => {
  const knowing = (pattern: RegExp) => files.filter((file) => pattern.test(readFileSync(file, 'utf8')));
  const spawning = knowing(/from '(?:execa|(?:node:)?child_process)'/);
  expect(spawning.filter((file) => !file.startsWith('lib/tools/process/'))).toEqual([]);
  const process = knowing(/(?<![\w.'/`])process(\.[a-z]|\[)|from '(?:node:)?process'|globalThis\.process/);
  expect(process.filter((file) => !/^lib\/(cli|tools\/process)\//.test(file))).toEqual([]);
});

test('every file and folder that the document names is there', () => {
  const named = [
    ...readFileSync('docs/architecture.md', 'utf8').matchAll(/`((?:lib|bin|sandbox|__tests__)\/[\w./-]*)`/g),
  ].map(([, name]) => name ?? '');
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((name) => !existsSync(name))).toEqual([]);
});

test('what is said to be pure asks neither the machine nor the clock', () => {
  const pure = files.filter((file) =>
    /^lib\/(plan|page|qcow2\/layout|retention|restore\/overwrite)(\/|\.)/.test(file),
  );
  const impure = pure.filter((file) =>
    /from 'node:(?!crypto)|import\('node:|Date\.now\(|new Date\(\)|Math\.random|performance\.now/.test(
      readFileSync(file, 'utf8'),
    ),
  );
  expect(impure).toEqual([]);
});
