import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { installationId } from '../../lib/ownership/names.js';
import { attachImage, mountImage, whileMounted } from '../ceph.js';
import { createSubvolume, mountShare } from '../ceph/shares.js';
import { imageClaim, shareClaim } from '../claims.js';
import type { Repository } from '../repository.js';
import { differences } from '../tree/compare.js';
import { describeTree, type Tree } from '../tree/describe.js';
import type { KubeObject } from '../../lib/kube/types.js';
import type { CephbackupResult } from '../cephbackup.js';
import { runningPod } from '../kube/pod.js';
import { randomBytesOf } from '../workload/random.js';
import { prefix, type Bed, type BedClaim } from './bed.js';
import { blockSeed, filesystem, kinds, type Kind } from './kinds.js';

export type Command = 'run' | 'restore' | 'verify' | 'prune' | 'cleanup';

/** What the matrix tries: one command on one kind of volume. */
export interface Subject {
  name: string;
  command: Command;
  /** Prepares a new bed. */
  make(bed: Bed): Promise<Course>;
}

/** What is repeated for each case. */
export interface Course {
  trial(): Promise<Trial>;
}

export interface Trial {
  args: readonly string[];
  /** For the run after the fault; default: the same. */
  again?: readonly string[];
  /** Default: the bed's. */
  repository?: Repository;
  /** Lines of the world that this trial alone answers for. */
  target?: string;
  /** What is not as a command without a fault would have left it. */
  flaws(result: CephbackupResult): Promise<string[]>;
  /** What must hold whatever happened. */
  losses?(result: CephbackupResult): Promise<string[]>;
  /** Removes what the trial made. */
  end?(): Promise<void>;
}

/** @throws Error where a command without a fault does not succeed */
export async function succeed(bed: Bed, args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr, json } = await bed.start(args).result;
  if (code !== 0) throw new Error(`${args.join(' ')}: exit code ${code}\n${stderr}\n${stdout}`);
  return json;
}

const runOf = (name: string, wanted: readonly Kind[], args: readonly string[]): Subject => ({
  name: `run: ${name}`,
  command: 'run',
  make: async (bed) => {
    for (const kind of wanted) await bed.claim(kind);
    // Where no view can be made, a disk is streamed.
    if (args.includes('--keep-base')) await succeed(bed, ['run']);
    await succeed(bed, ['run', ...args]);
    return { trial: () => Promise.resolve({ args: ['run', ...args], flaws: () => Promise.resolve([]) }) };
  },
});

/**
 * A disk that is written to before each run, the same bytes as before: its segment is read from a mapped clone, and every
 * backup has the same content.
 */
const changedDisk: Subject = {
  name: 'run: rbd-block, --keep-base, changed',
  command: 'run',
  make: async (bed) => {
    const disk = await bed.claim('rbd-block');
    const args = ['run', '--keep-base'];
    await succeed(bed, ['run']);
    await succeed(bed, args);
    const before = randomBytesOf(blockSeed, mebibyte);
    return {
      trial: async () => {
        await overwrite(bed, disk.at, before);
        return { args, flaws: (result) => wrongBases(bed, disk, result) };
      },
    };
  },
};

async function overwrite(bed: Bed, image: string, bytes: Buffer): Promise<void> {
  const attached = await attachImage(bed.ground.cluster, image);
  const device = await open(attached.path, 'r+');
  try {
    await device.write(bytes, 0, bytes.length, 0);
    await device.sync();
  } finally {
    await device.close();
    await attached.detach();
  }
}

/**
 * After a success the backup that is marked has a base, or the document says that none was kept; that it is the only one is
 * told by the world.
 */
async function wrongBases(bed: Bed, disk: BedClaim, { json }: CephbackupResult): Promise<string[]> {
  const { volumes = [] } = json as { volumes?: { warnings: string[] }[] };
  if (volumes.some(({ warnings }) => warnings.some((text) => /no base is kept|be kept as a base/.test(text))))
    return [];
  const listed = (await bed.ground.cluster.json('rbd', ['snap', 'ls', disk.at])) as { name: string }[];
  const bases = listed.flatMap(({ name }) => /^cephbackup-[0-9a-f]{8}-base-(.*)$/.exec(name)?.[1] ?? []);
  const { 'last-snapshot': marked = '' } = await bed.marks(disk);
  return bases.includes(marked.slice(0, 16)) ? [] : [`bases of ${bases.join()}, marked is ${marked}`];
}

/** Applications that are held while a snapshot is taken, of two volumes at one moment where they are a group. */
const heldRun = (name: string, wanted: readonly Kind[], group: Record<string, string>): Subject => ({
  name: `run: ${name}`,
  command: 'run',
  make: async (bed) => {
    const claims: BedClaim[] = [];
    for (const kind of wanted) claims.push(await bed.claim(kind, kind, group));
    const log = path.join(bed.ground.folder, 'hooks');
    await bed.kube.seed([podOf(claims, bed.ground.folder)]);
    const args = ['run', '--hooks', '--concurrency', '2'];
    await succeed(bed, args);
    return {
      trial: async () => {
        await writeFile(log, '');
        const heard = async () => (await readFile(log, 'utf8')).split('\n').filter(Boolean);
        const flaws = async () => {
          const words = await heard();
          return words.length > 0 && words.at(-1) === 'post' ? [] : [`I17: hooks: ${words.join(' ')}`];
        };
        const losses = async ({ signal, code, stdout }: CephbackupResult) => {
          const held = (await heard()).at(-1) === 'pre';
          // The log names the pod in any case.
          const named =
            /may still be held[^"]*pod app\/application|pod app\/application[^"]*may still be running/.test(
              stdout,
            );
          const told = signal === 'SIGKILL' || (code !== 0 && named);
          return held && !told ? ['I17: the application is held, and nobody says so'] : [];
        };
        return { args, flaws, losses };
      },
    };
  },
});

function podOf(claims: readonly BedClaim[], folder: string): KubeObject {
  return runningPod(
    { namespace: 'app', name: 'application' },
    claims.map(({ name }) => name),
    {
      'sandbox/folder': folder,
      [`${prefix}pre-snapshot`]: 'echo pre >> hooks',
      [`${prefix}post-snapshot`]: 'echo post >> hooks',
    },
  );
}

const treeBelow = async (root: string): Promise<Tree> => {
  const tree = await describeTree(root);
  tree.delete('lost+found');
  return tree;
};

const treeOfImage = (bed: Bed, image: string) =>
  whileMounted(mountImage(bed.ground.cluster, image, 'ext4'), treeBelow);

const treeOfShare = (bed: Bed, at: string) =>
  whileMounted(mountShare(bed.ground.cluster, filesystem, at), treeBelow);

const hashOf = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

async function hashOfImage(bed: Bed, image: string): Promise<string> {
  const file = path.join(bed.ground.folder, bed.fresh('exported'));
  await bed.ground.cluster.run('rbd', ['export', '--no-progress', image, file]);
  const hash = hashOf(await readFile(file));
  await rm(file);
  return hash;
}

/** What `read` throws where there is nothing is a flaw, too. */
const asFlaws = async (read: () => Promise<string[]>): Promise<string[]> =>
  read().catch((thrown: unknown) => [thrown instanceof Error ? thrown.message : String(thrown)]);

interface Wanted {
  tree: Tree;
  hash: string;
}

const wantedTree = async (bed: Bed, { at }: BedClaim): Promise<Wanted> => ({
  tree: await treeOfImage(bed, at),
  hash: '',
});
const wantedShare = async (bed: Bed, { at }: BedClaim): Promise<Wanted> => ({
  tree: await treeOfShare(bed, at),
  hash: '',
});
const wantedHash = async (bed: Bed, { at }: BedClaim): Promise<Wanted> => ({
  tree: new Map(),
  hash: await hashOfImage(bed, at),
});

interface Target {
  args: string[];
  name: string;
  /** Where it is not what was wanted. */
  read: () => Promise<string[]>;
  end: () => Promise<void>;
}

interface RestoreWay {
  name: string;
  kind: Kind;
  /** What the source holds. */
  wanted: (bed: Bed, source: BedClaim) => Promise<Wanted>;
  /** A new target. */
  target: (bed: Bed, wanted: Wanted) => Promise<Target>;
}

const removeImage = async (bed: Bed, image: string): Promise<void> => {
  await bed.ground.cluster.attempt('rbd', ['rm', '--no-progress', image]);
};

const sizes = { 'rbd-ext4': 32, 'rbd-block': 11 } as const;
const mebibyte = 1024 ** 2;

const ways: RestoreWay[] = [
  {
    name: 'to-image (files)',
    kind: 'rbd-ext4',
    wanted: wantedTree,
    target: (bed, wanted) => {
      const image = `${bed.ground.place}/${bed.fresh('restored')}`;
      return Promise.resolve({
        args: ['--to-image', image],
        name: image,
        read: async () => differences(wanted.tree, await treeOfImage(bed, image)),
        end: () => removeImage(bed, image),
      });
    },
  },
  {
    name: 'to-image (disk)',
    kind: 'rbd-block',
    wanted: wantedHash,
    target: (bed, wanted) => {
      const image = `${bed.ground.place}/${bed.fresh('restored')}`;
      return Promise.resolve({
        args: ['--to-image', image],
        name: image,
        read: async () => ((await hashOfImage(bed, image)) === wanted.hash ? [] : ['other bytes']),
        end: () => removeImage(bed, image),
      });
    },
  },
  {
    name: 'to-pvc (files)',
    kind: 'rbd-ext4',
    wanted: wantedTree,
    target: async (bed, wanted) => {
      const { cluster, place } = bed.ground;
      const name = bed.fresh('blank');
      const image = `${place}/${name}`;
      const size = sizes['rbd-ext4'] * mebibyte;
      await cluster.createImage(image, size);
      const claim = { namespace: 'spare', name };
      await bed.kube.seed(imageClaim(cluster, claim, { image, fsType: 'ext4', size }));
      return {
        args: ['--to-pvc', `spare/${name}`],
        name: image,
        read: async () => differences(wanted.tree, await treeOfImage(bed, image)),
        end: () => removeImage(bed, image),
      };
    },
  },
  {
    name: 'to-pvc (share)',
    kind: 'cephfs-subvolume',
    wanted: wantedShare,
    target: async (bed, wanted) => {
      const { cluster } = bed.ground;
      const group = `${bed.ground.group}-spare`;
      const name = bed.fresh('blank');
      const at = await createSubvolume(cluster, { filesystem, group, name });
      const claim = { namespace: 'spare', name };
      const where = { filesystem, group, subvolume: name, path: at, size: 64 * mebibyte };
      await bed.kube.seed(shareClaim(cluster, claim, where));
      return {
        args: ['--to-pvc', `spare/${name}`],
        name,
        read: async () => differences(wanted.tree, await treeOfShare(bed, at)),
        end: async () => {
          await cluster.attempt('ceph', ['fs', 'subvolume', 'rm', filesystem, name, '--group_name', group]);
        },
      };
    },
  },
  {
    name: 'to-directory',
    kind: 'rbd-ext4',
    wanted: wantedTree,
    target: (bed, wanted) => {
      const directory = path.join(bed.ground.folder, bed.fresh('restored'));
      return Promise.resolve({
        args: ['--to-directory', directory],
        name: directory,
        read: async () => differences(wanted.tree, await treeBelow(directory)),
        end: () => rm(directory, { recursive: true, force: true }),
      });
    },
  },
  {
    name: 'to-file',
    kind: 'rbd-block',
    wanted: wantedHash,
    target: (bed, wanted) => {
      const file = path.join(bed.ground.folder, bed.fresh('restored'));
      return Promise.resolve({
        args: ['--to-file', file, '--format', 'raw'],
        name: file,
        read: async () => (hashOf(await readFile(file)) === wanted.hash ? [] : ['other bytes']),
        end: () => rm(file, { force: true }),
      });
    },
  },
];

const restoreBy = ({ name, kind, wanted, target }: RestoreWay): Subject => ({
  name: `restore: ${name}`,
  command: 'restore',
  make: async (bed) => {
    const source = await bed.claim(kind);
    await succeed(bed, ['run']);
    const content = await wanted(bed, source);
    return {
      trial: async () => {
        const made = await target(bed, content);
        const args = ['restore', `${source.namespace}/${source.name}`, ...made.args];
        return {
          args,
          again: [...args, '--force'],
          target: made.name,
          flaws: () => asFlaws(made.read),
          end: made.end,
        };
      },
    };
  },
});

const verifyBy = (name: string, wanted: readonly Kind[], args: readonly string[]): Subject => ({
  name: `verify: ${name}`,
  command: 'verify',
  make: async (bed) => {
    for (const kind of wanted) await bed.claim(kind);
    await succeed(bed, ['run']);
    return {
      trial: async () => {
        const before = new Date(Date.now() - 1000).toISOString();
        await Promise.resolve();
        const flaws = async () => {
          const marks = await bed.allMarks();
          return [...marks].flatMap(([uid, { 'last-verified': verified = '' }]) =>
            verified >= before.slice(0, 19) ? [] : [`${uid}: last-verified is ${verified}`],
          );
        };
        return { args: ['verify', ...args], flaws };
      },
    };
  },
});

const prune: Subject = {
  name: 'prune',
  command: 'prune',
  make: async (bed) => {
    await bed.claim('rbd-block');
    for (let count = 0; count < 3; count += 1) await succeed(bed, ['run']);
    const args = ['prune', '--keep-last', '1', '--max-unused', '0'];
    const copyOf = () => bed.repository.copy(path.join(bed.ground.folder, bed.fresh('copy')));
    const idsIn = async (repository: Repository) =>
      (await repository.snapshots('--no-lock')).map(({ id }) => id).sort();
    const golden = await copyOf();
    const env = { ...bed.env, ...golden.env };
    const { startCephbackup } = await import('../cephbackup.js');
    const { code, stderr } = await startCephbackup(args, { env }).result;
    if (code !== 0) throw new Error(`prune: exit code ${code}\n${stderr}`);
    const kept = await idsIn(golden);
    return {
      trial: async () => {
        const repository = await copyOf();
        return {
          args,
          repository,
          flaws: async () => {
            const ids = await idsIn(repository);
            const check = await repository.attempt('check', '--read-data', '--no-lock');
            return [
              ...(ids.join() === kept.join() ? [] : [`snapshots are ${ids.join()}`]),
              ...(check.code === 0 ? [] : [`restic check: ${check.stderr}`]),
            ];
          },
          losses: async () => {
            const ids = new Set(await idsIn(repository));
            return kept.filter((id) => !ids.has(id)).map((id) => `the kept snapshot ${id} is gone`);
          },
          end: () => rm(repository.folder, { recursive: true, force: true }),
        };
      },
    };
  },
};

const cleanup: Subject = {
  name: 'cleanup',
  command: 'cleanup',
  make: async (bed) => {
    const image = await bed.claim('rbd-ext4');
    const share = await bed.claim('cephfs-subvolume');
    const { cluster, group, place } = bed.ground;
    const { body } = await bed.kube.request('GET', '/api/v1/namespaces/kube-system');
    const { uid = '' } = (body as { metadata: { uid?: string } }).metadata;
    const installation = installationId(uid, 'default', 'cephbackup.hpc.nyu.edu');
    const subvolume = share.at.split('/').at(-2) ?? '';
    return {
      trial: async () => {
        const name = `cephbackup-${installation}-${randomBytes(4).toString('hex')}-1`;
        await cluster.rbd('snap', 'create', '--no-progress', `${image.at}@${name}`);
        await cluster.rbd(
          ...['clone', '--rbd-default-clone-format', '2', `${image.at}@${name}`, `${place}/${name}`],
        );
        await cluster.ceph(
          `fs subvolume snapshot create ${filesystem} ${subvolume} ${name} --group_name ${group}`,
        );
        const flaws = async () =>
          [...(await bed.world())]
            .filter((line) => line.includes(name))
            .map((line) => `not removed: ${line}`);
        return { args: ['cleanup'], flaws, target: name };
      },
    };
  },
};

export const subjects: readonly Subject[] = [
  ...kinds.map((kind) => runOf(kind, [kind], ['--concurrency', '1'])),
  runOf('all kinds, concurrency 4', kinds, ['--concurrency', '4']),
  runOf('rbd-block, --keep-base', ['rbd-block'], ['--keep-base']),
  changedDisk,
  heldRun('rbd-ext4, --hooks', ['rbd-ext4'], {}),
  heldRun('a group, --hooks', ['rbd-block', 'cephfs-subvolume'], { [`${prefix}group`]: 'one' }),
  ...ways.map(restoreBy),
  verifyBy('files and a disk', ['rbd-ext4', 'rbd-block'], []),
  verifyBy('--drill', ['rbd-ext4', 'rbd-block'], ['--drill']),
  prune,
  cleanup,
];
