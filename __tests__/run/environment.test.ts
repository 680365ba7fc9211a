import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { resolveProgram } from '../../lib/tools/process/launch.js';
import { searchPath } from '../../sandbox/tools.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { scene } from '../restore/scene.js';
import { freshGroup } from '../support/ceph.js';
import { runCephbackup } from '../support/cephbackup.js';

const MiB = 1024 * 1024;
const here = scene();

/** What children may get, what the shell that records it adds, and what ceph-fuse tells its own `mount`. */
const everyChild =
  /^(PATH|HOME|TMPDIR|LANG|TZ|HTTPS_PROXY|no_proxy|SSL_CERT_FILE|PWD|SHLVL|_|LIBMOUNT_FSTAB)$/;
const restics = /^(RESTIC|AWS|AZURE|B2|GOOGLE|OS|ST|RCLONE)_/;

const programs = [
  ...['restic', 'rbd', 'ceph', 'cat', 'ceph-fuse', 'qemu-storage-daemon', 'mount', 'umount', 'losetup'],
  ...['find', 'ls', 'stat', 'tar', 'mkdir', 'rmdir', 'e2fsck', 'unshare', 'mkfifo', 'blkid', 'touch', 'node'],
];

/** What each program was told, one call after the other. */
let calls: { program: string; args: string; names: string[]; values: Map<string, string> }[];

/** A folder of programs that note their environment and go on as the real one. */
async function recording(folder: string): Promise<string> {
  await mkdir(`${folder}/calls`, { recursive: true });
  for (const program of programs) {
    const real = program === 'node' ? process.execPath : resolveProgram(program, searchPath());
    const text = `#!/bin/bash
{ printf '%s\\0' ${program} "$*"; /usr/bin/env -0; } >${folder}/calls/$$-$RANDOM
exec ${real} "$@"
`;
    await writeFile(`${folder}/${program}`, text, { mode: 0o755 });
  }
  return folder;
}

beforeAll(async () => {
  const { current } = here;
  await current.filesystemClaim('files', 64 * MiB, 'ext4', (root) => writeFile(`${root}/file`, 'abc'));
  await current.blockClaim('disk', randomBytesOf(5, MiB));
  await current.shareClaim('share', freshGroup(), MiB, (root) => writeFile(`${root}/file`, 'abc'));
  const folder = await recording(current.file('recording'));
  await mkdir(current.file('temporary'));
  await writeFile(current.file('password'), await readFile(current.env.RESTIC_PASSWORD_FILE ?? ''));
  const env: Record<string, string> = {
    ...current.env,
    PATH: `${folder}:${searchPath()}`,
    TMPDIR: current.file('temporary'),
    RESTIC_PASSWORD_COMMAND: `cat ${current.file('password')}`,
    RESTIC_HOST: 'elsewhere',
    RESTIC_PROGRESS_FPS: '60',
    AWS_SECRET_ACCESS_KEY: 'of-aws',
    AZURE_ACCOUNT_KEY: 'of-azure',
    B2_ACCOUNT_KEY: 'of-b2',
    GOOGLE_PROJECT_ID: 'of-google',
    OS_PASSWORD: 'of-openstack',
    ST_KEY: 'of-swift',
    RCLONE_CONFIG_PASS: 'of-rclone',
    OTHER_TOKEN: 'of-somebody',
    TZ: 'America/New_York',
    LANG: 'de_DE.UTF-8',
    LC_ALL: 'de_DE.UTF-8',
    HTTPS_PROXY: 'http://127.0.0.1:1',
    no_proxy: '127.0.0.1',
    SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt',
  };
  delete env.RESTIC_PASSWORD_FILE;
  for (const args of [['run'], ['run', '--keep-base'], ['verify', '--drill', 'app/share']]) {
    const { code, stderr } = await runCephbackup(args, { env });
    if (code !== 0) throw new Error(stderr);
  }
  const files = await readdir(`${folder}/calls`);
  calls = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(`${folder}/calls/${file}`, 'utf8');
      const [program = '', args = '', ...variables] = text.split('\0').slice(0, -1);
      const values = new Map(variables.map((one) => [one.split('=', 1)[0] ?? '', one.replace(/^.*?=/s, '')]));
      return { program, args, names: [...values.keys()], values };
    }),
  );
});

test('no child but restic gets more than every child may have, also those that restic starts', () => {
  const others = calls.filter(({ program }) => program !== 'restic');
  for (const program of ['cat', 'rbd', 'ceph', 'ceph-fuse', 'find', 'mount', 'tar'])
    expect(others.some((one) => one.program === program)).toBe(true);
  const more = others.flatMap(({ program, args, names }) =>
    names.filter((name) => !everyChild.test(name)).map((name) => `${program} ${args.slice(0, 60)}: ${name}`),
  );
  expect(more).toEqual([]);
  // What restic reads a text from, and the password.
  expect(others.some(({ program, args }) => program === 'cat' && args.startsWith('/proc/'))).toBe(true);
  expect(others.some(({ program, args }) => program === 'cat' && args.endsWith('/password'))).toBe(true);
  expect(new Set(calls.map(({ values }) => values.get('TZ')))).toEqual(new Set(['UTC']));
});

test('restic alone gets the configuration of the repository, and no host or rhythm of somebody else', () => {
  const restic = calls.filter(({ program }) => program === 'restic');
  expect(restic.length).toBeGreaterThan(5);
  for (const { names, values } of restic) {
    expect(names.filter((name) => !everyChild.test(name) && !restics.test(name))).toEqual([]);
    expect(values.get('AWS_SECRET_ACCESS_KEY')).toBe('of-aws');
    expect(values.get('RESTIC_PROGRESS_FPS')).toBe('0.5');
    expect(values.has('RESTIC_HOST')).toBe(false);
    expect(values.get('RESTIC_FEATURES')).toContain('device-id-for-hardlinks');
  }
});
