import { constants } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { release } from 'node:os';
import { asCephbackupError } from '../../../errors/error.js';
import { takenByMultipath } from '../../../tools/node/holders.js';
import { lastLine } from '../../../tools/process/outcome.js';
import { openNamespace } from '../../../tools/node/namespace.js';
import { failed, ok, warning, type Check, type Finding } from '../check.js';
import type { Setup } from '../setup.js';

/** The kernel can do what the mapper and the CephFS client that were chosen need of it. */
export const kernel: Check = {
  name: 'kernel',
  run: async (setup) => {
    const { mapper, cephfsClient } = setup.parts.options;
    const kinds = await setup.kinds();
    const wanted: { module: string; fix: string }[] = [];
    const rbd = mapper ?? 'krbd';
    const { filesystems, disks } = await setup.mapped();
    if ((filesystems || disks) && rbd !== 'fuse')
      wanted.push({ module: rbd === 'nbd' ? 'nbd' : 'rbd', fix: 'or pass --mapper fuse' });
    if (kinds.has('cephfs') && (cephfsClient ?? 'kernel') === 'kernel')
      wanted.push({ module: 'ceph', fix: 'or pass --cephfs-client fuse' });
    if (wanted.length === 0) return ok(`nothing beyond FUSE is needed (${release()})`);
    return Promise.all(
      wanted.map(async ({ module, fix }) => {
        const where = await findModule(module);
        if (where !== null) return ok(`${module}: ${where}`);
        return failed(
          `the kernel ${release()} has no module ${module}`,
          `modprobe ${module} on the node (Debian: apt-get install linux-image-amd64), ${fix}`,
        );
      }),
    );
  },
};

/** Loaded, built in, or to be loaded by whoever needs it [kmod: modules.dep(5), modules.builtin]. */
async function findModule(module: string): Promise<string | null> {
  if (await exists(`/sys/module/${module}`)) return 'loaded';
  if (await exists(`/sys/bus/${module}`)) return 'built in';
  const folder = `/lib/modules/${release()}`;
  for (const [file, what] of [
    ['modules.builtin', 'built in'],
    ['modules.dep', 'can be loaded'],
  ] as const) {
    const text = await readFile(`${folder}/${file}`, 'utf8').catch(() => '');
    if (new RegExp(`/${module}\\.ko\\b`).test(text)) return what;
  }
  return null;
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** Nothing takes the devices of mapped images away from whoever maps them: neither from pods nor from a backup. */
export const multipath: Check = {
  name: 'multipath',
  run: async (setup) => {
    const { filesystems, disks } = await setup.mapped();
    if ((!filesystems && !disks) || setup.parts.options.mapper === 'fuse') return ok('not needed');
    const taken = await takenByMultipath();
    if (taken.length === 0) return ok('multipathd holds no mapped image');
    return warning(
      `multipathd holds ${taken.join(', ')}: what it holds cannot be unmapped, and a backup's clone stays behind`,
      'on the node: blacklist { devnode "^(rbd|nbd)[0-9]*" } in /etc/multipath.conf, then `multipath -r`',
    );
  },
};

/** `/dev/fuse` can be opened, loop devices can be had, and QEMU can reach images: for the clients that need them. */
export const fuse: Check = {
  name: 'fuse',
  run: async (setup, signal) => {
    const { mapper, cephfsClient } = setup.parts.options;
    const kinds = await setup.kinds();
    const { filesystems, disks } = await setup.mapped();
    const shares = kinds.has('cephfs') && cephfsClient === 'fuse';
    // The view of a disk is FUSE with every mapper.
    if (!disks && !(filesystems && mapper === 'fuse') && !shares) return ok('not needed');
    const device = await openDevice(
      '/dev/fuse',
      'modprobe fuse on the node, and in the pod: privileged: true',
    );
    const loops = filesystems && mapper === 'fuse' ? await openDevice('/dev/loop-control', loopFix) : null;
    const daemon = (filesystems || disks) && mapper === 'fuse' ? await storageDaemon(setup, signal) : null;
    const bad = [device, loops, daemon].flatMap((finding) => finding ?? []);
    return bad.length === 0 ? ok('the devices can be opened') : bad;
  },
};

const loopFix = 'modprobe loop on the node, and in the pod: privileged: true with the host’s /dev';

async function openDevice(file: string, fix: string): Promise<Finding | null> {
  try {
    const device = await open(file, constants.O_RDWR);
    await device.close();
    return null;
  } catch (thrown) {
    return failed(
      `${file} cannot be opened: ${(thrown as NodeJS.ErrnoException).code ?? String(thrown)}`,
      fix,
    );
  }
}

/** QEMU's driver for images is a package of its own: asked for an image of no cluster, it must at least know what is meant. */
async function storageDaemon({ parts }: Setup, signal: AbortSignal): Promise<Finding | null> {
  const node = { driver: 'rbd', 'node-name': 'none', pool: 'none', image: 'none', conf: '/dev/null' };
  const args = ['--blockdev', JSON.stringify(node)];
  try {
    const { stderr } = await parts.exec('qemu-storage-daemon', args, { signal, deadlineMs: 20_000 });
    if (!/unknown driver|does not accept value|failed to (load|open) module/i.test(stderr)) return null;
    return failed(
      `qemu-storage-daemon has no driver for RBD: ${lastLine(stderr)}`,
      'apt-get install qemu-block-extra',
    );
  } catch (thrown) {
    const { code, message } = asCephbackupError(thrown);
    // That it is missing is told elsewhere.
    return code === 'TOOL_MISSING' ? null : warning(message, 'see what `qemu-storage-daemon --help` says');
  }
}

/** Volumes are mounted where no other program sees them. */
export const mountNamespace: Check = {
  name: 'mount-namespace',
  run: async (setup) => {
    const kinds = await setup.kinds();
    const { disks } = await setup.mapped();
    if (!kinds.has('rbd-filesystem') && !kinds.has('cephfs') && !disks) return ok('not needed');
    const { startDaemon, childEnv } = setup.parts;
    try {
      const namespace = await openNamespace(startDaemon, childEnv);
      await namespace.close();
      return ok('can be made');
    } catch (thrown) {
      const { message, code, guidance } = asCephbackupError(thrown);
      const fix =
        code === 'NAMESPACE_FAILED' ? 'run as root; in a pod: securityContext: {privileged: true}' : guidance;
      return failed(message, fix);
    }
  },
};
