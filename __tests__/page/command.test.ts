import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { runCephbackup } from '../../sandbox/cephbackup.js';
import { inventory, now, type Entry } from '../plan/world.js';
import { temporaryFolder } from '../support/temporary.js';

/** `report` of a dump: needs neither Kubernetes nor Ceph nor a repository. */
let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});

const entries: Entry[] = [
  { claim: 'team/data', pv: { 'last-backup': now.toISOString() } },
  { claim: 'team/never' },
];

async function report(args: string[], claims = entries) {
  const { namespaces, persistentVolumes, persistentVolumeClaims } = inventory(...claims);
  const kinds = {
    Namespace: namespaces,
    PersistentVolume: persistentVolumes,
    PersistentVolumeClaim: persistentVolumeClaims,
  };
  const items = Object.entries(kinds).flatMap(([kind, objects]) =>
    (objects as object[]).map((object) => ({ apiVersion: 'v1', kind, ...object })),
  );
  const dump = path.join(folder, 'dump.json');
  await writeFile(dump, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  return runCephbackup(['report', ...args, '--from', dump], { cwd: folder });
}

test('writes a page, and says what it says', async () => {
  const { code, stdout } = await report(['page.html']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'page.html: 0 of 2 to be backed up are ok\n' });
  const page = await readFile(path.join(folder, 'page.html'), 'utf8');
  expect(page).toContain('<h1>0 of 2 volumes to be backed up are ok: 1 stale, 1 never.</h1>');
  expect(await readdir(folder)).toEqual(expect.arrayContaining(['dump.json', 'page.html']));
  expect(await readdir(folder)).toHaveLength(2);
});

test('- is stdout, and --max-age says what is stale', async () => {
  const { code, stdout } = await report(['-', '--max-age', '100000d']);
  expect(code).toBe(0);
  expect(stdout).toContain('<h1>1 of 2 volumes to be backed up is ok: 1 never.</h1>');
});

test('with JSON the sums, on stdout one document', async () => {
  const { stdout } = await report(['page.html', '-o', 'json']);
  expect(JSON.parse(stdout)).toMatchObject({ file: 'page.html', totals: { selected: 2, never: 1 } });
  const both = await report(['-', '-o', 'json']);
  expect(both.code).toBe(2);
  expect(JSON.parse(both.stdout)).toMatchObject({ error: { code: 'USAGE' } });
});

describe('the file', () => {
  test('is exchanged whole; a link to it stays one', async () => {
    await mkdir(path.join(folder, 'web'));
    await writeFile(path.join(folder, 'web/index.html'), 'old');
    await symlink('web/index.html', path.join(folder, 'page.html'));
    expect((await report(['page.html'])).code).toBe(0);
    expect(await readFile(path.join(folder, 'web/index.html'), 'utf8')).toContain('<!doctype html>');
    expect(await readdir(path.join(folder, 'web'))).toEqual(['index.html']);
  });

  test('that is none is written to as it is, and stays', async () => {
    expect((await report(['/dev/null'])).code).toBe(0);
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  test('that cannot be written is told', async () => {
    const { code, stderr } = await report(['missing/page.html']);
    expect(code).toBe(1);
    expect(stderr).toContain('REPORT_UNWRITABLE');
  });
});

test('a variable with rules of prune is no mistake without the repository', async () => {
  const { code } = await report(['page.html', '--keep-daily', '7']);
  expect(code).toBe(0);
});
