import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSubvolume, mountShare, type MountedVolume } from '../../sandbox/ceph.js';
import type { PlannedVolume } from '../../lib/plan/types.js';
import { Rig } from './rig.js';

type Service = 'mon' | 'mgr' | 'mds' | 'osd';
type Capabilities = Partial<Record<Service, string>>;

let rig: Rig;
let root: MountedVolume;
let path: string;
/** A directory outside of all subvolumes. */
let plain: string;
beforeAll(async () => {
  rig = await Rig.create();
  path = await rig.subvolume('share');
  plain = `/plain-${rig.group}`;
  root = await mountShare(rig.cluster, 'cephfs', '/');
  await mkdir(`${root.path}${plain}`);
  for (const place of [path, plain]) await writeFile(`${root.path}${place}/file`, 'data', { flush: true });
});
afterAll(() => root.unmount());

/** As docs/cephfs.md lists them. */
const forSubvolumes = (): Capabilities => ({
  mon: 'allow r fsname=cephfs',
  mgr: 'allow module volumes rw',
  mds: `allow r fsname=cephfs path=/volumes/${rig.group}`,
  osd: 'allow r tag cephfs data=cephfs',
});
const forDirectories = (): Capabilities => ({
  mon: 'allow r fsname=cephfs',
  mds: `allow rws fsname=cephfs path=${plain}`,
  osd: 'allow r tag cephfs data=cephfs',
});

async function attempt(volume: PlannedVolume, capabilities: Capabilities) {
  const id = `least-${rig.nextName()}`;
  const user = await rig.cluster.createUser(id, capabilities);
  // Without a parent: what is known already would not be read.
  rig.marks.clear();
  const { result, leftovers } = await rig.backup(volume, { user });
  await rig.cluster.ceph(`auth del client.${id}`);
  // A volume of one file is done before restic can be stopped; what it then saved is named.
  expect(leftovers.filter(({ kind }) => kind !== 'restic-snapshot')).toEqual([]);
  return result;
}

/** @param changed the capability that is taken away, or the weaker one instead of it */
function without(all: Capabilities, service: Service, changed: string | null): Capabilities {
  const entries = Object.entries(all).flatMap(([name, text]) => {
    if (name !== service) return [[name, text]];
    return changed === null ? [] : [[name, changed]];
  });
  return Object.fromEntries(entries) as Capabilities;
}

describe('a Ceph user with the least capabilities for subvolumes', () => {
  const volume = () => rig.dynamic('share', path);

  test('backs them up', async () => {
    expect(await attempt(volume(), forSubvolumes())).toMatchObject({ outcome: 'succeeded', error: null });
  });

  test('backs up one whose data are in a RADOS namespace of its own', async () => {
    const name = { filesystem: 'cephfs', group: rig.group, name: 'isolated' };
    const isolated = await createSubvolume(rig.cluster, name, undefined, true);
    await writeFile(`${root.path}${isolated}/file`, 'data', { flush: true });
    expect(await rig.cluster.run('rados', ['--pool', 'cephfs.cephfs.data', '--all', 'ls'])).toContain(
      'fsvolumens_isolated\t',
    );
    const result = await attempt(rig.dynamic('isolated', isolated), forSubvolumes());
    expect(result).toMatchObject({ outcome: 'succeeded', bytesRead: 4, error: null });
  });

  test.each<[Service, string | null, string, string]>([
    ['mon', null, 'CEPH_UNREACHABLE', 'ceph -s'],
    ['mgr', null, 'CEPH_FORBIDDEN', 'docs/cephfs.md'],
    ['mgr', 'allow module volumes r', 'CEPH_FORBIDDEN', 'docs/cephfs.md'],
    ['mds', null, 'CEPH_FORBIDDEN', 'docs/cephfs.md'],
    ['mds', 'allow r fsname=cephfs path=/elsewhere', 'CEPH_FORBIDDEN', 'docs/cephfs.md'],
    ['osd', null, 'READ_INCOMPLETE', 'docs/cephfs.md'],
  ])('fails with guidance with %s %j', async (service, changed, code, guidance) => {
    const result = await attempt(volume(), without(forSubvolumes(), service, changed));
    expect(result).toMatchObject({ outcome: 'failed', snapshot: null, error: { code } });
    expect(result.error?.guidance).toContain(guidance);
    expect(await rig.snapshots('share')).toEqual([]);
  });
});

describe('a Ceph user with the least capabilities for other directories', () => {
  const volume = () => rig.fixed('plain', plain);

  test('backs them up', async () => {
    expect(await attempt(volume(), forDirectories())).toMatchObject({ outcome: 'succeeded', error: null });
  });

  test.each<[string]>([['allow rw'], ['allow r']])('fails with guidance with mds %j', async (rights) => {
    const mds = `${rights} fsname=cephfs path=${plain}`;
    const result = await attempt(volume(), without(forDirectories(), 'mds', mds));
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'CEPH_FORBIDDEN' } });
    expect(result.error?.guidance).toContain('docs/cephfs.md');
  });
});
