import { beforeAll, describe, expect, test } from '@jest/globals';
import pLimit from 'p-limit';
import { examine, makeBed, type Examined } from './bed.js';
import { setUps, type SetUpName } from './set-ups.js';

const found = {} as Record<SetUpName, Promise<Examined>>;

beforeAll(async () => {
  const bed = await makeBed();
  // Some wait half a minute for what does not answer: these begin first.
  const names = Object.keys(setUps) as SetUpName[];
  const limited = pLimit(4);
  for (const name of names) found[name] = limited(async () => examine(bed, await setUps[name](bed)));
  await Promise.allSettled(Object.values(found));
});

type Row = [SetUpName, string, 'failed' | 'warning', RegExp, RegExp];

/** What is broken, and how it is to be named: check, status, message, fix. */
const table: Row[] = [
  ['nothing answers', 'kubernetes-api', 'failed', /ECONNREFUSED/, /API is up/],
  ['nothing answers', 'repository-configuration', 'failed', /no repository/, /RESTIC_REPOSITORY/],
  ['nothing answers', 'ceph-connection', 'failed', /does not answer/, /mon_host/],
  ['nobody lets us in', 'kubernetes-api', 'failed', /does not accept the credentials/, /ClusterRole/],
  ['nobody lets us in', 'repository', 'failed', /exit code 10/, /restic init/],
  [
    'nobody lets us in',
    'ceph-connection',
    'failed',
    /does not accept the key of client\.doctor/,
    /ceph auth get client/,
  ],
  [
    'rights are missing',
    'kubernetes-permissions',
    'failed',
    /may not patch persistentvolumes/,
    /ClusterRole: - \{apiGroups: \[""\], resources: \[persistentvolumes\], verbs: \[patch\]\}/,
  ],
  [
    'rights are missing',
    'kubernetes-permissions',
    'failed',
    /may not update leases/,
    /Role in namespace default: - \{apiGroups: \["coordination.k8s.io"\]/,
  ],
  [
    'rights are missing',
    'kubernetes-permissions',
    'warning',
    /may not list storageclasses/,
    /storage\.k8s\.io/,
  ],
  ['rights are missing', 'repository', 'failed', /wrong password/, /RESTIC_PASSWORD_FILE/],
  [
    'rights are missing',
    'ceph-images',
    'failed',
    /may not read rbd\/test-/,
    /osd "profile rbd pool=rbd namespace=test-/,
  ],
  ['Ceph may only be read, by an old restic', 'restic-version', 'failed', /0\.14\.0 is too old/, /0\.19/],
  [
    'Ceph may only be read, by an old restic',
    'ceph-capabilities',
    'failed',
    /may not make snapshots and clones in rbd\/test-/,
    /ceph auth caps client\.doctor/,
  ],
  ['Ceph may only be read, by an old restic', 'cephfs', 'failed', /access denied|EACCES/, /mgr "allow rw"/],
  [
    'Ceph may only be read, by an old restic',
    'cephfs-mount',
    'failed',
    /mount of \/volumes/,
    /mds "allow rws/,
  ],
  [
    'claims that cannot be backed up',
    'ceph-images',
    'failed',
    /broken\/no-image: there is no image rbd\/test-/,
    /rbd ls/,
  ],
  [
    'claims that cannot be backed up',
    'ceph-images',
    'failed',
    /no pool or RADOS namespace nowhere/,
    /ceph osd lspools/,
  ],
  [
    'claims that cannot be backed up',
    'filesystems',
    'failed',
    /broken\/btrfs has the filesystem "btrfs"/,
    /kubectl annotate pv .*mode=image/,
  ],
  ['claims that cannot be backed up', 'cephfs', 'failed', /broken\/no-filesystem: .*"nowhere"/, /ceph fs ls/],
  [
    'claims that cannot be backed up',
    'cephfs',
    'failed',
    /broken\/no-subvolume: there is no subvolume/,
    /ceph fs subvolume ls/,
  ],
  [
    'claims that cannot be backed up',
    'claims',
    'failed',
    /broken\/nfs cannot be backed up: .*nfs/,
    /kubectl annotate pvc -n broken nfs/,
  ],
  [
    'claims that cannot be backed up',
    'claims',
    'failed',
    /host\/a-nspvc-b has the same name/,
    /backup=false/,
  ],
  [
    'programs are missing, and the cluster keeps its own backups',
    'programs',
    'failed',
    /^e2fsck is not on PATH/,
    /apt-get install e2fsprogs/,
  ],
  [
    'programs are missing, and the cluster keeps its own backups',
    'programs',
    'failed',
    /^ceph-fuse is not on PATH/,
    /apt-get install ceph-fuse/,
  ],
  [
    'programs are missing, and the cluster keeps its own backups',
    'repository',
    'failed',
    /restic cat config/,
    /./,
  ],
  [
    'programs are missing, and the cluster keeps its own backups',
    'repository-place',
    'warning',
    /served by rest-server in namespace demo .*demo\/disk/,
    /backup=false/,
  ],
  ['a poor node', 'kernel', 'failed', /no module rbd/, /modprobe rbd.*--mapper fuse/],
  ['a poor node', 'kernel', 'failed', /no module ceph/, /modprobe ceph.*--cephfs-client fuse/],
  ['a poor node', 'mount-namespace', 'failed', /no private mount namespace/, /privileged: true/],
  ['a small container', 'fuse', 'failed', /\/dev\/fuse cannot be opened/, /modprobe fuse/],
  ['a small container', 'fuse', 'failed', /no driver for RBD: .*Unknown driver/, /qemu-block-extra/],
  [
    'a small container',
    'memory',
    'warning',
    /about 0\.08 million blobs: 5 × restic and what runs .* of 200Mi/,
    /--concurrency 1/,
  ],
  ['nothing to do, nowhere', 'claims', 'failed', /no claim is selected/, /--allow-empty/],
  [
    'nothing to do, nowhere',
    'lease',
    'failed',
    /not-there, does not exist/,
    /kubectl create namespace not-there/,
  ],
  [
    'nothing to do, nowhere',
    'repository-configuration',
    'failed',
    /RESTIC_PASSWORD_FILE cannot be read/,
    /RESTIC_PASSWORD_FILE/,
  ],
  ['no key, no room', 'ceph-connection', 'failed', /no key of client\.doctor/, /--ceph-keyring/],
  ['no key, no room', 'folders', 'failed', /\/not-there cannot be written/, /TMPDIR/],
  [
    'no key, no room',
    'folders',
    'warning',
    /the cache \/etc\/hostname\/cache cannot be written/,
    /RESTIC_CACHE_DIR/,
  ],
];

describe('what is broken is named', () => {
  test.each(table)('%s: %s %s: %s', async (setUp, name, status, message, fix) => {
    const { checks } = await found[setUp];
    const findings = checks.filter((finding) => finding.name === name && finding.status === status);
    const named = findings.filter((finding) => message.test(finding.message));
    expect({ findings, named: named.length }).toMatchObject({ named: 1 });
    expect(named).toMatchObject([{ fix: expect.stringMatching(fix) }]);
  });
});

/** What neither a repository nor a Ceph is there for. */
const withoutAnswer = [
  ...['repository-locks', 'repository-place', 'memory', 'ceph-health', 'clock-ceph', 'ceph-images'],
  ...['ceph-capabilities', 'cephfs', 'cephfs-mount'],
];

/** Besides what is in the table: what can only not be looked at. */
const unseen: Record<SetUpName, string[]> = {
  sound: [],
  'nothing answers': [
    ...['kubernetes-permissions', 'clock-kubernetes', 'lease', 'jobs', 'claims', 'filesystems', 'repository'],
    ...withoutAnswer,
  ],
  'nobody lets us in': [
    ...['kubernetes-permissions', 'clock-kubernetes', 'lease', 'jobs', 'claims', 'filesystems'],
    ...withoutAnswer,
  ],
  'rights are missing': ['repository-locks', 'memory'],
  'Ceph may only be read, by an old restic': [],
  'claims that cannot be backed up': ['cephfs-mount'],
  'programs are missing, and the cluster keeps its own backups': [
    'repository-locks',
    'memory',
    'cephfs-mount',
  ],
  'a poor node': ['cephfs-mount'],
  'a small container': ['cephfs-mount'],
  'nothing to do, nowhere': ['repository', 'repository-locks', 'memory'],
  'no key, no room': [
    'ceph-health',
    'clock-ceph',
    'ceph-images',
    'ceph-capabilities',
    'cephfs',
    'cephfs-mount',
  ],
};

describe('nothing else is', () => {
  test.each(Object.keys(setUps) as SetUpName[])('%s', async (setUp) => {
    const broken = table.filter(([name]) => name === setUp).map(([, check]) => check);
    const { names, code, failed, checks, seconds } = await found[setUp];
    expect({ names: names.toSorted(), checks }).toMatchObject({
      names: [...new Set([...broken, ...unseen[setUp]])].toSorted(),
    });
    expect(code).toBe(failed > 0 ? 1 : 0);
    for (const { status, fix, message } of checks) {
      expect([message, fix === null]).toEqual([message, status === 'ok' || message.startsWith('and ')]);
      expect(message.length).toBeLessThan(600);
    }
    expect(seconds).toBeLessThan(60);
  });
});
