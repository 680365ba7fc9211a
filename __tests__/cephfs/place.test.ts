import { describe, expect, test } from '@jest/globals';
import { subvolumeSpec } from '../../lib/tools/ceph/fs.js';
import { placeOf } from '../../lib/volumes/cephfs/place.js';

const uuid = '308fa52e-a490-4517-9dee-34f8ee161077';

describe('where the snapshot of a path is taken', () => {
  test.each([
    [`/volumes/csi/vol/${uuid}`, '/volumes/csi/vol', uuid, 'manager'],
    [`/volumes/csi/vol/${uuid}/app/data`, '/volumes/csi/vol', `${uuid}/app/data`, 'manager'],
    [`/volumes/_nogroup/vol/${uuid}/`, '/volumes/_nogroup/vol', uuid, 'manager'],
    ['/volumes/csi/vol', '/volumes/csi/vol', '', 'mkdir'],
    ['/volumes/kubernetes/old/app', '/volumes/kubernetes/old', 'app', 'mkdir'],
    ['/volumes/csi', '/volumes/csi', '', 'mkdir'],
    ['/', '/', '', 'mkdir'],
    ['//docker//app/', '/docker/app', '', 'mkdir'],
    ['/-rf/a,b c', '/-rf/a,b c', '', 'mkdir'],
  ])('%s', (path, root, below, by) => {
    expect(placeOf(path)).toEqual({ root, below, by });
  });

  test.each(['relative', '', '/a/../b', '/./a', '/new\nline', '/\x1b[31m', '/a/$name', '/\x7f'])(
    'is nowhere for %j',
    (path) => {
      expect(() => placeOf(path)).toThrow('not a directory that can be mounted');
    },
  );
});

describe('names of filesystems, groups and subvolumes', () => {
  test.each([
    ['cephfs', 'csi', 'csi-vol-1'],
    ['my.fs_2', null, 'a@b'],
  ])('%s, %s, %s are taken as they are', (fs, group, subvolume) => {
    expect(subvolumeSpec(fs, group, subvolume)).toEqual({ fs, group, subvolume });
  });

  test.each(['--force', '-x', 'a b', 'a\nb', '..', '', 'a/b', 'a;b', '$x', 'ä'])('%j is refused', (name) => {
    expect(() => subvolumeSpec('cephfs', null, name)).toThrow('not a name');
    expect(() => subvolumeSpec('cephfs', name, 'x')).toThrow('not a name');
    expect(() => subvolumeSpec(name, null, 'x')).toThrow('not a name');
  });
});
