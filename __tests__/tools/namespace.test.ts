import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { mkdirInside, writeInside } from '../../lib/tools/node/in-namespace.js';
import { mountedAt, unmount } from '../../lib/tools/node/mount.js';
import { openNamespace, readMounts, stateDirectory } from '../../lib/tools/node/namespace.js';
import { startDaemon } from '../../lib/tools/process/daemon.js';
import { run, waitFor } from '../../sandbox/process.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

const env = { PATH: process.env.PATH ?? '' };

test('what the node unmounts during a backup is unmounted in its namespace, too: no device of a pod is pinned', async () => {
  const folder = await temporaryFolder('node');
  const pod = path.join(folder, 'pod');
  // As on a node, where systemd makes every mount a shared one.
  await run('mount', ['--make-shared', '-t', 'tmpfs', 'tmpfs', folder]);
  atEnd(() => run('umount', ['--lazy', folder]));
  await mkdir(pod);
  await run('mount', ['-t', 'tmpfs', 'tmpfs', pod]);
  const namespace = await openNamespace(startDaemon, env);
  try {
    expect(await mountedAt(namespace, pod)).not.toBeNull();
    await run('umount', [pod]);
    expect(await mountedAt(namespace, pod)).toBeNull();
    // And what is mounted for a backup is not seen by the node.
    expect(await mountedAt(namespace, stateDirectory)).not.toBeNull();
    expect(await mountedAt({ pid: process.pid }, stateDirectory)).toBeNull();
  } finally {
    await namespace.close();
  }
});

test('a namespace whose holder was killed has no mounts: what lies below can be released', async () => {
  const namespace = await openNamespace(startDaemon, env);
  process.kill(namespace.pid, 'SIGKILL');
  await waitFor('the namespace to be gone', 10_000, async () => (await readMounts(namespace)).length === 0);
  const never = () => Promise.reject(new Error('there is nothing to unmount'));
  await expect(unmount(never, namespace, stateDirectory)).resolves.toBeUndefined();
});

test('a namespace whose holder was killed is told of, whoever wants to write into it', async () => {
  const namespace = await openNamespace(startDaemon, env);
  await writeInside(namespace, `${stateDirectory}/file`, 'text');
  process.kill(namespace.pid, 'SIGKILL');
  await waitFor('its end', 60_000, async () => (await readMounts(namespace)).length === 0);
  const late = [
    writeInside(namespace, `${stateDirectory}/file`, 'text'),
    mkdirInside(namespace, `${stateDirectory}/folder`),
  ];
  for (const one of late) await expect(one).rejects.toMatchObject({ code: 'NAMESPACE_FAILED' });
  await namespace.close();
});
