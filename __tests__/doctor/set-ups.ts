import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { forgeIndex } from '../../sandbox/forge-index.js';
import { oldResticProgram, searchPath } from '../../sandbox/tools.js';
import { inSmallContainer, onPoorNode, pathWithout, rulesWithout, type Bed, type Call } from './bed.js';
import { freshRepository } from '../support/repository.js';

/** Each is broken in several places that do not touch each other, because a look at one takes seconds. */
export const setUps = {
  sound: () => Promise.resolve({}),

  'nothing answers': ({ folder, kube, cluster }: Bed): Promise<Call> => {
    const [kubeconfig, conf] = [path.join(folder, 'dead.kubeconfig'), path.join(folder, 'dead.conf')];
    writeFileSync(
      kubeconfig,
      readFileSync(kube.kubeconfig, 'utf8').replaceAll(kube.url, 'http://127.0.0.1:1'),
    );
    writeFileSync(conf, '[global]\nmon_host = v2:127.0.0.1:1\n');
    const env = { KUBECONFIG: kubeconfig, CEPHBACKUP_CEPH_CONF: conf, RESTIC_REPOSITORY: undefined };
    // The word "keyring" in a command is no answer of Ceph's.
    return Promise.resolve({ args: ['--ceph-keyring', cluster.keyring], env });
  },

  'nobody lets us in': async ({ folder, kube, cluster, userName }: Bed): Promise<Call> => {
    const [kubeconfig, keyring] = [
      path.join(folder, 'stranger.kubeconfig'),
      path.join(folder, 'stale.keyring'),
    ];
    const config = readFileSync(kube.kubeconfig, 'utf8');
    writeFileSync(kubeconfig, config.replace(/"token": "[^"]*"/, '"token": "not-this-one"'));
    const user = await cluster.createUser(userName('stale'), { mon: 'profile rbd' });
    const other = await cluster.createUser(userName('stale-other'), { mon: 'profile rbd' });
    writeFileSync(keyring, readFileSync(other.keyring, 'utf8').replace(other.id, user.id));
    return {
      args: ['--ceph-user', user.id, '--ceph-keyring', keyring],
      env: { KUBECONFIG: kubeconfig, RESTIC_REPOSITORY: path.join(folder, 'nothing-here') },
    };
  },

  'rights are missing': async ({ folder, kube, cluster, userName }: Bed): Promise<Call> => {
    const left = ['patch persistentvolumes', 'update leases', 'list storageclasses'];
    const password = path.join(folder, 'wrong-password');
    writeFileSync(password, 'not the password\n');
    const user = await cluster.createUser(userName('other-pool'), {
      mon: 'allow r, profile rbd',
      mgr: 'allow rw',
      mds: 'allow rws',
      osd: 'profile rbd pool=other, allow rw tag cephfs data=*',
    });
    return {
      args: ['--ceph-user', user.id, '--ceph-keyring', user.keyring],
      env: {
        KUBECONFIG: await kube.account('poor', rulesWithout(...left)),
        RESTIC_PASSWORD_FILE: password,
      },
    };
  },

  'Ceph may only be read, by an old restic': async ({ cluster, userName }: Bed): Promise<Call> => {
    const user = await cluster.createUser(userName('reader'), {
      mon: 'allow r, profile rbd',
      osd: 'profile rbd-read-only pool=rbd',
    });
    return {
      args: ['--ceph-user', user.id, '--ceph-keyring', user.keyring],
      env: { PATH: `${path.dirname(oldResticProgram)}:${searchPath()}` },
    };
  },

  'claims that cannot be backed up': () =>
    Promise.resolve({ env: { CEPHBACKUP_NAMESPACE: 'broken,host,host-nspvc-a' } }),

  'programs are missing, and the cluster keeps its own backups': ({ folder }: Bed): Promise<Call> =>
    Promise.resolve({
      env: {
        PATH: pathWithout(folder, 'e2fsck', 'ceph-fuse'),
        RESTIC_REPOSITORY: 'rest:http://rest-server.demo.svc:8000/',
      },
    }),

  'a poor node': () =>
    Promise.resolve({
      wrapper: onPoorNode(),
      env: { CEPHBACKUP_MAPPER: 'krbd', CEPHBACKUP_CEPHFS_CLIENT: 'kernel' },
    }),

  'a small container': async ({ folder }: Bed): Promise<Call> => {
    const repository = await freshRepository();
    // Two index files, which alone would be up to 100,000 blobs; in the cache they are seen to be fewer.
    await forgeIndex(repository, { blobs: 80_000, packs: false });
    await repository.restic('list', 'blobs');
    return { wrapper: inSmallContainer(folder), env: { ...repository.env } };
  },

  'nothing to do, nowhere': ({ folder }: Bed): Promise<Call> =>
    Promise.resolve({
      args: ['--lease-namespace', 'not-there'],
      env: { CEPHBACKUP_NAMESPACE: 'empty', RESTIC_PASSWORD_FILE: path.join(folder, 'no-password') },
    }),

  'no key, no room': ({ cluster, userName }: Bed): Promise<Call> =>
    Promise.resolve({
      args: ['--ceph-user', userName('nobody'), '--ceph-keyring', cluster.keyring],
      env: { TMPDIR: '/not-there', RESTIC_CACHE_DIR: '/etc/hostname/cache' },
    }),
} satisfies Record<string, (bed: Bed) => Promise<Call>>;

export type SetUpName = keyof typeof setUps;
