import { expect, test } from '@jest/globals';
import { describeWithHelm, template, type Values } from './helm.js';

/** What is wrong, the values, and what the message must name. */
const refused: [string, Values, string][] = [
  ['a typo', { shedule: '@daily' }, 'shedule'],
  ['a typo below', { repository: { existingSecrets: 'x' } }, 'existingSecrets'],
  ['a typo in the image', { image: { repo: 'x' } }, 'repo'],
  ['no cron', { schedule: 'daily' }, '/schedule'],
  ['a time zone within the schedule', { schedule: 'TZ=UTC 0 0 * * *' }, '/schedule'],
  ['another mapper', { mapper: 'kernel' }, '/mapper'],
  ['another client', { cephfsClient: 'krbd' }, '/cephfsClient'],
  ['no shards', { shards: 0 }, '/shards'],
  ['shards as text', { shards: '2' }, '/shards'],
  ['no volumes at a time', { concurrency: 0 }, '/concurrency'],
  ['a duration without a unit', { volumeTimeout: '90' }, '/volumeTimeout'],
  ['"client." before the user', { ceph: { user: 'client.admin' } }, '/ceph/user'],
  ['a key instead of a keyring', { ceph: { keyring: 'AQBh==' } }, '/ceph/keyring'],
  ['a variable that is not restic’s', { repository: { variables: { PATH: '/' } } }, 'PATH'],
  ['no time to unwind', { terminationGracePeriodSeconds: 5 }, '/terminationGracePeriodSeconds'],
  ['a prefix that is no DNS name', { annotationPrefix: 'Backup/x' }, '/annotationPrefix'],
  ['a malformed quantity', { cache: { sizeLimit: '10 GB' } }, '/cache/sizeLimit'],
  [
    'the Secret of the repository twice',
    { repository: { existingSecret: 'x', variables: { RESTIC_PASSWORD: 'y' } } },
    'repository: give existingSecret or variables, not both',
  ],
  [
    'the Secret of Ceph twice',
    { ceph: { existingSecret: 'x', keyring: '[client.admin]\nkey = y' } },
    'ceph: give existingSecret or the texts',
  ],
  [
    'two keys',
    { ceph: { keySecret: { name: 'x' }, keyring: '[client.admin]\nkey = y' } },
    'ceph: keySecret replaces',
  ],
  ['ceph.conf without a key', { ceph: { conf: '[global]' } }, 'ceph.conf: give the keyring, too'],
  [
    'monitors without a key',
    { ceph: { monitorsConfigMap: { name: 'x' } } },
    'ceph.monitorsConfigMap: it makes a ceph.conf',
  ],
  [
    'users of clusters that are not listed',
    { ceph: { usersSecret: 'x' } },
    'ceph.usersSecret: give the list of clusters, too',
  ],
  [
    'two lists of clusters',
    { ceph: { clustersConfigMap: 'x', clusters: [{ clusterID: 'a', monitors: ['b'] }] } },
    'ceph: give clustersConfigMap or clusters, not both',
  ],
  ['krbd out of the node’s network', { hostNetwork: false }, 'hostNetwork: false does not go with'],
  [
    'kernel CephFS out of the node’s network',
    { hostNetwork: false, mapper: 'fuse' },
    'hostNetwork: false does not go with',
  ],
  [
    'a device plugin of no use',
    { fuse: { deviceResource: 'a.example/fuse' }, mapper: 'fuse' },
    'fuse.deviceResource is of use only',
  ],
  [
    'one cache for several shards',
    { shards: 2, cache: { persistence: { enabled: true } } },
    'cache.persistence: several shards cannot share',
  ],
  [
    'a claim that is not used',
    { cache: { persistence: { existingClaim: 'x' } } },
    'cache.persistence.existingClaim: set cache.persistence.enabled',
  ],
  ['too little memory', { resources: { limits: { memory: '991Mi' } } }, 'set at least 992Mi'],
  [
    'too little memory for many',
    { concurrency: 100, resources: { limits: { memory: '1Gi' } } },
    'set at least 19424Mi, or a lower concurrency',
  ],
  ['an odd quantity of memory', { resources: { limits: { memory: '1000m' } } }, 'resources.limits.memory'],
  ['the mapper among the arguments', { extraArgs: ['--mapper=fuse'] }, 'extraArgs: --mapper'],
  ['the shard among the arguments', { extraArgs: ['--shard', '0/2'] }, 'extraArgs: --shard'],
  ['a budget without a unit', { verify: { budget: '100' } }, '/verify/budget'],
  ['a retention in months', { prune: { keepDeleted: '6mo' } }, '/prune/keepDeleted'],
  ['a page that nobody writes', { report: { serve: { enabled: true } } }, 'report.serve.enabled: set report'],
  [
    'a page that another node cannot read',
    { report: { enabled: true, serve: { enabled: true } } },
    'report.volume.accessModes: one pod writes',
  ],
  ['prune without credentials', { prune: { enabled: true } }, 'prune.existingSecret: prune needs'],
];

describeWithHelm('refused', () => {
  test.each(refused)('%s', async (_, values, message) => {
    const { code, stderr } = await template(values);
    expect(stderr).toContain(message);
    expect(code).not.toBe(0);
  });

  test('all mistakes are named at once', async () => {
    const { stderr } = await template({ hostNetwork: false, extraArgs: ['--shard=1/2'] });
    expect(stderr).toContain('hostNetwork');
    expect(stderr).toContain('--shard');
  });
});
