import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DoctorReport } from '../../lib/commands/doctor/table.js';
import { resolveProgram } from '../../lib/tools/process/launch.js';
import type { KubeObject } from '../../lib/kube/types.js';
import { createSubvolume } from '../../sandbox/ceph/shares.js';
import type { CephCluster } from '../../sandbox/ceph.js';
import { imageClaim, localClaim, shareClaim } from '../../sandbox/claims.js';
import { startKube, type Rule, type SandboxKube } from '../../sandbox/kube/index.js';
import { attempt } from '../../sandbox/process.js';
import type { Repository } from '../../sandbox/repository.js';
import { cephbackupProgram, searchPath } from '../../sandbox/tools.js';
import { ceph, freshGroup, freshNamespace } from '../support/ceph.js';
import { freshRepository } from '../support/repository.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

/** What a run needs, all of it in order, for the tests to break. */
export interface Bed {
  cluster: CephCluster;
  kube: SandboxKube;
  repository: Repository;
  /** `rbd/NAMESPACE`, with the images `disk` and `files`. */
  place: string;
  folder: string;
  env: Record<string, string>;
  /** Users of Ceph are of the whole cluster: each test file has names of its own. */
  userName: (name: string) => string;
}

const size = 16 * 1024 ** 2;

export async function makeBed(): Promise<Bed> {
  const folder = await temporaryFolder('doctor');
  const [cluster, kube, repository, place] = await Promise.all([
    ceph(),
    startKube({ dir: path.join(folder, 'kube') }),
    freshRepository(),
    freshNamespace(),
  ]);
  atEnd(() => kube.stop());
  if (!kube.real)
    await kube.seed([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } }]);
  const filesystem = cluster.filesystems[0] ?? '';
  const share = { filesystem, group: freshGroup(), name: 'share' };
  const [sharePath] = await Promise.all([
    createSubvolume(cluster, share),
    ...['disk', 'files'].map((name) => cluster.createImage(`${place}/${name}`, size)),
  ]);
  const shareOptions = { filesystem, group: share.group, path: sharePath, size };
  const image = (name: string, fsType: string | null, at = place) => ({
    image: `${at}/${name}`,
    fsType,
    size,
  });
  const claim = (namespace: string, name: string) => ({ namespace, name });
  const lost = { filesystem: 'nowhere', group: 'csi', path: '/volumes/csi/x/y', size };
  await kube.seed([
    ...imageClaim(cluster, claim('demo', 'disk'), image('disk', null)),
    ...imageClaim(cluster, claim('demo', 'files'), image('files', 'ext4')),
    ...shareClaim(cluster, claim('demo', 'share'), { ...shareOptions, subvolume: 'share' }),
    ...localClaim(claim('demo', 'local'), { size }),
    // What is wrong with claims, for whoever selects these namespaces.
    ...imageClaim(cluster, claim('broken', 'no-image'), image('nothing', null)),
    ...imageClaim(cluster, claim('broken', 'no-pool'), image('disk', null, 'nowhere')),
    ...imageClaim(cluster, claim('broken', 'btrfs'), image('files', 'btrfs')),
    ...shareClaim(cluster, claim('broken', 'no-filesystem'), { ...lost, subvolume: 'x' }),
    ...shareClaim(cluster, claim('broken', 'no-subvolume'), {
      ...shareOptions,
      subvolume: 'gone',
      path: sharePath.replace('/share/', '/gone/'),
    }),
    ...nfsClaim('broken', 'nfs'),
    ...imageClaim(cluster, claim('host-nspvc-a', 'b'), image('disk', null)),
    ...imageClaim(cluster, claim('host', 'a-nspvc-b'), image('disk', null)),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'empty' } },
  ]);
  const env = {
    ...repository.env,
    TMPDIR: folder,
    KUBECONFIG: kube.kubeconfig,
    CEPHBACKUP_MAPPER: 'fuse',
    CEPHBACKUP_CEPHFS_CLIENT: 'fuse',
    CEPHBACKUP_CEPH_CONF: cluster.conf,
    CEPHBACKUP_NAMESPACE: 'demo',
  };
  const mark = randomBytes(3).toString('hex');
  return { cluster, kube, repository, place, folder, env, userName: (name) => `doctor-${mark}-${name}` };
}

function nfsClaim(namespace: string, name: string): KubeObject[] {
  const [claim, volume] = localClaim({ namespace, name }, { size });
  if (claim === undefined || volume === undefined) throw new Error('no claim');
  const spec = { ...(volume.spec as object), hostPath: undefined };
  const nfs = { ...spec, csi: { driver: 'nfs.csi.ceph.com', volumeHandle: name } };
  return [claim, { ...volume, spec: nfs } as KubeObject];
}

export interface Call {
  args?: string[];
  /** Undefined takes one away. */
  env?: Record<string, string | undefined>;
  /** What the program is started by. */
  wrapper?: string[];
}

export interface Examined extends DoctorReport {
  code: number;
  /** The checks that found something wrong, each once. */
  names: string[];
  seconds: number;
}

/** `doctor -o json`. */
export async function examine(bed: Bed, { args = [], env = {}, wrapper = [] }: Call): Promise<Examined> {
  const clean = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]));
  const started = performance.now();
  const argv = [...wrapper, process.execPath];
  const { code, stdout, stderr } = await attempt(
    argv[0] ?? '',
    [...argv.slice(1), cephbackupProgram, 'doctor', '-o', 'json', ...args],
    { env: { ...clean, PATH: searchPath(), HOME: bed.folder, ...bed.env, ...env }, timeout: 110_000 },
  );
  const report = JSON.parse(stdout === '' ? '{}' : stdout) as Partial<DoctorReport>;
  if (report.checks === undefined) throw new Error(`no report: ${stdout}\n${stderr}`);
  const wrong = report.checks.filter(({ status }) => status !== 'ok').map(({ name }) => name);
  const names = [...new Set(wrong)];
  const seconds = (performance.now() - started) / 1000;
  return { ...(report as DoctorReport), code, names, seconds };
}

/** The rights of a run, but for some. */
export function rulesWithout(...left: string[]): Rule[] {
  const rights: [string, string, string[]][] = [
    ['', 'namespaces', ['list']],
    ['', 'persistentvolumes', ['get', 'list', 'patch']],
    ['', 'persistentvolumeclaims', ['get', 'list']],
    ['storage.k8s.io', 'storageclasses', ['list']],
    ['', 'events', ['create', 'patch']],
    ['coordination.k8s.io', 'leases', ['get', 'create', 'update']],
  ];
  const rules = rights.map(([group, resource, verbs]) => ({
    apiGroups: [group],
    resources: [resource],
    verbs: verbs.filter((verb) => !left.includes(`${verb} ${resource}`)),
  }));
  // Kubernetes refuses a rule that permits nothing.
  return rules.filter(({ verbs }) => verbs.length > 0);
}

/** A search path with every program that a run needs but for some. */
export function pathWithout(folder: string, ...left: string[]): string {
  const bin = mkdtempSync(path.join(folder, 'bin-'));
  const all = [
    'restic',
    'setpriv',
    'rbd',
    'ceph',
    'unshare',
    'nsenter',
    'mount',
    'umount',
    'e2fsck',
    'od',
    'find',
  ];
  const rest = [
    'ls',
    'stat',
    'mkdir',
    'rmdir',
    'env',
    'mkfifo',
    'sh',
    'cat',
    'qemu-storage-daemon',
    'ceph-fuse',
  ];
  for (const program of [...all, ...rest].filter((name) => !left.includes(name))) {
    symlinkSync(resolveProgram(program, searchPath()), path.join(bin, program));
  }
  return bin;
}

/** Starts a program where this machine seems to have less: no kernel modules, no CAP_SYS_ADMIN. */
export function onPoorNode(): string[] {
  const hide = ['/lib/modules', '/sys/module', '/sys/bus'].map(
    (folder) => `if [ -d ${folder} ]; then mount -t tmpfs none ${folder}; fi`,
  );
  const drop = 'exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin -- "$0" "$@"';
  return ['unshare', '--mount', 'sh', '-ec', [...hide, drop].join('; ')];
}

/** Starts a program in a container of 200 MiB that lacks the device of FUSE, and QEMU's drivers in packages of their own. */
export function inSmallContainer(folder: string): string[] {
  const limit = path.join(folder, 'memory.max');
  writeFileSync(limit, `${200 * 1024 ** 2}\n`);
  mkdirSync(path.join(folder, 'fuse'), { recursive: true });
  const script = [
    // A socket cannot be opened, as a device cannot that the pod may not use.
    `${process.execPath} -e 'require("net").createServer().listen(process.argv[1], () => process.exit())' ${folder}/fuse/s`,
    `mount --bind ${folder}/fuse/s /dev/fuse`,
    'for modules in /usr/lib/*/qemu; do mount -t tmpfs none "$modules"; done',
    'mount -t tmpfs none /sys/fs/cgroup',
    `cp ${limit} /sys/fs/cgroup/memory.max`,
    'exec "$0" "$@"',
  ];
  return ['unshare', '--mount', 'sh', '-ec', script.join('\n')];
}
