import { randomBytes } from 'node:crypto';
import { cp, open } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { attachImage } from '../../../sandbox/ceph.js';
import { run } from '../../../sandbox/process.js';
import type { SeededClaim } from '../../support/scenario.js';
import { atEnd } from '../../support/temporary.js';
import { Rig } from './rig.js';

const [kib, mib] = [1024, 1024 ** 2];
const writtenBytes = 8 * mib;

/** Moves what is in a folder to a filesystem of its own, which is mounted there. */
async function onFilesystemOfItsOwn(folder: string, rig: Rig): Promise<void> {
  const kept = path.join(rig.folder, 'kept');
  await cp(folder, kept, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', 'mode=700', 'repository', folder]);
  atEnd(() => run('umount', ['--lazy', folder]));
  await cp(kept, folder, { recursive: true });
}

/** Leaves so much room for whatever comes. */
async function leave(bytes: number, folder: string): Promise<void> {
  const used = Number((await run('df', ['--output=used', '--block-size=1', folder])).split('\n')[1]);
  await run('mount', ['-o', `remount,size=${used + bytes}`, folder]);
}

async function overwrite(rig: Rig, { image }: SeededClaim): Promise<void> {
  const attached = await attachImage(rig.scenario.cluster, image);
  const device = await open(attached.path, 'r+');
  await device.write(randomBytes(writtenBytes), 0, writtenBytes, 4 * mib);
  await device.sync();
  await device.close();
  await attached.detach();
}

test('a repository that becomes full at any moment keeps the base of the last backup, and the next run uses it', async () => {
  const rig = await Rig.create();
  const { scenario } = rig;
  const repository = scenario.repository.env.RESTIC_REPOSITORY;
  await onFilesystemOfItsOwn(repository, rig);
  const claim = await rig.disk('full', 32 * mib);
  await overwrite(rig, claim);
  await rig.backUp('full');
  const failures = new Map<number, string | undefined>();
  // For nothing; for a part of the data; for nearly all that belongs to a backup.
  for (const room of [0, writtenBytes / 2, writtenBytes + 24 * kib]) {
    const before = await rig.bases(claim);
    await overwrite(rig, claim);
    await leave(room, repository);
    const report = await rig.run('full');
    const [volume] = report.volumes;
    failures.set(room, volume?.error?.code);
    const { 'last-snapshot': marked = '' } = await scenario.annotations(claim);
    const names = await rig.snapshotNames(claim);
    // Whatever became of it: the one base is of the backup that is marked, and nothing else is left in Ceph.
    expect({ room, names }).toEqual({
      room,
      names: [expect.stringMatching(`-base-${marked.slice(0, 16)}$`)],
    });
    if (volume?.outcome === 'succeeded') await rig.expectEqualToBase(claim, volume.snapshot ?? '');
    else {
      expect(report.exitCode).not.toBe(0);
      expect({ room, names }).toEqual({ room, names: before });
    }
    await leave(256 * mib, repository);
    const backup = await rig.backUp('full');
    expect(backup).toMatchObject({ base: 'used' });
    await rig.expectEqualToBase(claim, backup.snapshot ?? '');
  }
  expect([failures.get(0), failures.get(writtenBytes / 2)]).toEqual(['NOT_ATTEMPTED', 'REPOSITORY_FULL']);
}, 900_000);
