import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

const dockerfile = readFileSync('Dockerfile', 'utf8');
const argument = (name: string) => new RegExp(`^ARG ${name}=(.*)$`, 'm').exec(dockerfile)?.[1];

test('the image says the version of its program', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(argument('VERSION')).toBe(version);
});

test('restic is pinned by version and checksum', () => {
  expect(argument('RESTIC_VERSION')).toMatch(/^0\.(19|[2-9]\d)\./);
  expect(argument('RESTIC_SHA256_AMD64')).toMatch(/^[0-9a-f]{64}$/);
  expect(argument('RESTIC_SHA256_ARM64')).toMatch(/^[0-9a-f]{64}$/);
});

test('only what the image is made of is sent to the builder', () => {
  const [everything, ...allowed] = readFileSync('.dockerignore', 'utf8').trim().split('\n');
  expect(everything).toBe('*');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) =>
    match[1]?.split(' '),
  );
  expect(allowed.map((name) => name.slice(1)).toSorted()).toEqual(copied.toSorted());
});
