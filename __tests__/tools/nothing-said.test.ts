import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { refuseEverythingExcluded } from '../../lib/run/volume/everything-excluded.js';
import { findBelow } from '../../lib/tools/node/find.js';
import { checkExt, checkXfs, examineExt } from '../../lib/tools/node/fsck.js';
import { createExec, type CommandOptions, type Exec } from '../../lib/tools/process/exec.js';
import { Rbd } from '../../lib/tools/rbd/images.js';
import { RbdWriter } from '../../lib/tools/rbd/write.js';
import { snapshotsWith } from '../../lib/tools/restic/find.js';
import { pruneRepository } from '../../lib/tools/restic/prune.js';
import { Restic } from '../../lib/tools/restic/restic.js';
import { findSnapshots } from '../../lib/volumes/cephfs/find-snapshots.js';
import { SnapshotDirectory } from '../../lib/volumes/cephfs/snapshots.js';
import { markHotFiles } from '../../lib/volumes/rbd/hot-files.js';
import { temporaryFolder } from '../support/temporary.js';

/** A program that does nothing and says that it succeeded. */
const nothing: Exec = () => Promise.resolve({ exitCode: 0, stdout: '', stderr: '', seconds: 0 });
const namespace = { pid: process.pid };
const signal = new AbortController().signal;
const options = { signal, namespace };

const connection = { conf: '/x', user: null, keyring: null, monitors: null };
const rbd = new Rbd(nothing, connection);
const writer = new RbdWriter(nothing, rbd);
const restic = new Restic(nothing, {}, { upload: null, download: null });
const image = { pool: 'p', namespace: null, image: 'i' };
const startDaemon = () => {
  throw new Error('no daemon');
};
const client = { exec: nothing, env: {}, startDaemon };
const rules = { patterns: ['*.tmp'], caches: false, ifPresent: [] };

/** Where an empty answer would be a false success, or would let something be overwritten or removed. */
const believed: [string, () => Promise<unknown>][] = [
  ['images of a pool', () => rbd.places.names(image)],
  ['images of a pool, with snapshots', () => rbd.places.images(image, 1)],
  ['snapshots of an image', () => rbd.snapshots.list(image)],
  ['trash', () => rbd.places.trash(image)],
  ['watchers', () => rbd.watchers(image)],
  ['parent', () => rbd.parent(image)],
  ['content of an image', () => rbd.isEmpty(image)],
  ['metadata of an image, among it the key of an encrypted one', () => rbd.metadata(image)],
  ['locks of an image', () => writer.locks(image)],
  ['what an image takes, before it is formatted', () => writer.usedBytes(image)],
  ['snapshots of a repository', () => restic.survey()],
  [
    'snapshots that contain damaged data',
    () => snapshotsWith(restic, { object: 'blob', ids: ['a'], tags: [] }, {}),
  ],
  ['prune', () => pruneRepository(restic, { maxUnused: null, maxRepackBytes: null, repackSmall: false }, {})],
  ['snapshots of shares', () => findSnapshots(client, namespace, 'children', signal)],
  ['snapshots of a directory', () => findSnapshots(client, namespace, 'itself', signal)],
  ['names in a snapshot directory', () => new SnapshotDirectory(nothing, namespace, {}).list()],
  ['hot files', () => markHotFiles(nothing, '/volume', { since: 0, wholeSeconds: false }, options)],
  [
    'files that are excluded',
    () =>
      refuseEverythingExcluded(
        nothing,
        { type: 'directory', namespace, path: '/nowhere' } as never,
        rules,
        0,
      ),
  ],
  ['e2fsck -p', () => checkExt(nothing, '/dev/x', 'preen', options)],
  ['e2fsck -n', () => examineExt(nothing, '/dev/x', options)],
  ['xfs_repair -n', () => checkXfs(nothing, { path: '/dev/x', loop: false }, options)],
];

test.each(believed)('nothing said is no answer: %s', async (_, ask) => {
  await expect(ask()).rejects.toMatchObject({
    code: expect.stringMatching(/^(COMMAND_OUTPUT_INVALID|FILESYSTEM_CORRUPT)$/) as unknown as string,
  });
});

test('an image without metadata says so in words alone', async () => {
  const says: Exec = (_, args) =>
    Promise.resolve({
      exitCode: 0,
      stdout: args.includes('json') ? '' : 'There are 0 metadata on this image.\n',
      stderr: '',
      seconds: 0,
    });
  await expect(new Rbd(says, connection).metadata(image)).resolves.toEqual({});
});

describe('find', () => {
  const exec = createExec({ env: { PATH: process.env.PATH ?? '' }, log: silent, redactor: new Redactor() });
  const look: CommandOptions = { deadlineMs: 60_000 };
  const files = ['-type', 'f', '-printf', 'x'];

  test('says nothing of the directory itself, whatever it is called', async () => {
    const directory = path.join(await temporaryFolder('find'), 'a*[b]\\c');
    await mkdir(path.join(directory, 'below'), { recursive: true });
    expect((await findBelow(exec, { directory }, files, look)).stdout).toBe('');
    await writeFile(path.join(directory, 'one'), '');
    await writeFile(path.join(directory, 'below/two'), '');
    expect((await findBelow(exec, { directory }, files, look)).stdout).toBe('xx');
    const shallow = await findBelow(exec, { directory, depth: 1 }, files, look);
    expect([shallow.stdout, shallow.stderr]).toEqual(['x', '']);
  });

  test('of a directory that is not there fails as find does', async () => {
    const { exitCode } = await findBelow(exec, { directory: '/nowhere' }, files, look);
    expect(exitCode).toBe(1);
  });
});
