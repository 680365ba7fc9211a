import { existsSync } from 'node:fs';
import path from 'node:path';
import { startCeph } from '../ceph.js';
import { parseElsewhere, startCephElsewhere } from '../ceph/elsewhere.js';
import { statePath } from '../checkout.js';
import { runJest } from '../jest.js';
import { own } from '../owner.js';
import { searchPath } from '../tools.js';
import type { PodSecurity } from './flags.js';
import { ImageBuilder, pauseImage, programImage } from './image.js';
import { startCluster } from './index.js';

const tag = 'test';

/**
 * `npm run test:cluster [-- ARGUMENTS FOR JEST]`: builds the image, starts a real Kubernetes of one node and a real Ceph
 * beside it, and tries the chart there as its users would. SANDBOX_POD_SECURITY=baseline: what namespaces allow that say
 * nothing. With SANDBOX_CLUSTER Ceph is another Debian's (sandbox/ceph/elsewhere.ts), and so are the tests' own programs.
 */
await own(async (owner) => {
  const assets = process.env.KUBEBUILDER_ASSETS ?? '';
  const missing = [
    'etcd',
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'kubelet',
    'kubectl',
    'helm',
  ];
  if (assets === '' || missing.some((name) => !existsSync(path.join(assets, name)))) {
    throw new Error(`set KUBEBUILDER_ASSETS to a folder with ${missing.join(', ')}`);
  }
  const say = stopwatch();
  const { SANDBOX_CLUSTER: which = '', SANDBOX_POD_SECURITY: podSecurity = 'privileged' } = process.env;
  const builder = new ImageBuilder(path.join(statePath(), 'images'));
  say('building the image');
  const image = await builder.buildProgram(tag);
  await builder.buildPause();
  const archives = [
    [pauseImage, path.join(owner.folder, 'pause.tar')],
    [image, path.join(owner.folder, 'image.tar')],
  ] as const;
  for (const [name, file] of archives) await builder.save(name, file);
  say('starting Ceph and Kubernetes');
  const dir = path.join(owner.folder, 'ceph');
  const [ceph, kubernetes] = await Promise.all([
    which === '' ? startCeph({ dir }) : startCephElsewhere(which, dir),
    startCluster({
      dir: path.join(owner.folder, 'kubernetes'),
      assets,
      archives: archives.map(([, file]) => file),
      podSecurity: podSecurity as PodSecurity,
    }),
  ]);
  say('testing');
  const own = ['--testMatch', '<rootDir>/__tests__/cluster/**/*.cluster.ts', '--runInBand'];
  const env = {
    PATH: searchPath(),
    SANDBOX_CEPH: ceph.cluster.dir,
    SANDBOX_IMAGES: path.join(statePath(), 'images'),
    SANDBOX_POD_SECURITY: podSecurity,
    CLUSTER_IMAGE_REPOSITORY: programImage,
    CLUSTER_IMAGE_TAG: tag,
    KUBECONFIG: kubernetes.kubeconfig,
    HOME: owner.folder,
    TMPDIR: owner.temporary,
  };
  const userland = which === '' ? 'host' : parseElsewhere(which).userland;
  const code = await runJest(owner, [...own, ...process.argv.slice(2)], env, userland);
  await kubernetes.stop();
  say('done');
  return code;
});

function stopwatch(): (what: string) => void {
  const started = performance.now();
  return (what) => {
    console.log(`${String(Math.round((performance.now() - started) / 1000)).padStart(4)} s  ${what}`);
  };
}
