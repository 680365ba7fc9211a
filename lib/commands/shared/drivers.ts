import type { Values } from '../../cli/options.js';
import type { runOptions } from '../run/options.js';
import type { volumeOptions } from './options/volumes.js';
import { CephbackupError } from '../../errors/error.js';
import type { PlannedVolume, VolumeKind } from '../../plan/types.js';
import { startDaemon } from '../../tools/process/daemon.js';
import { childEnvironment } from '../../tools/process/environment.js';
import { resolveProgram } from '../../tools/process/launch.js';
import { ownProgram } from '../../tools/process/own.js';
import type { Sweeper, VolumeDriver } from '../../volumes/driver.js';
import { CephfsDriver, type CephfsTools } from '../../volumes/cephfs/driver.js';
import type { CephfsClient, ClientTools } from '../../volumes/cephfs/client.js';
import { fuseClient } from '../../volumes/cephfs/fuse.js';
import { kernelClient } from '../../volumes/cephfs/kernel.js';
import { cephFsClients } from '../../volumes/cephfs/locate.js';
import { CephfsSweeper } from '../../volumes/cephfs/sweep.js';
import { fuse } from '../../volumes/mappers/fuse.js';
import { krbd } from '../../volumes/mappers/krbd.js';
import type { Mapper, MapperTools } from '../../volumes/mappers/mapper.js';
import { nbd } from '../../volumes/mappers/nbd.js';
import { RbdBlockDriver } from '../../volumes/block/driver.js';
import { RbdFilesystemDriver } from '../../volumes/rbd/filesystem.js';
import { namedFsid } from '../../volumes/own-cluster.js';
import { locateImage, type ClientsFor } from '../../volumes/rbd/image.js';
import { RbdSweeper } from '../../volumes/rbd/sweep.js';
import type { CommandContext } from '../../cli/command.js';
import { exportImageCommand, serveViewCommand } from '../../volumes/block/internal-command.js';
import { SegmentsDriver } from '../../volumes/block/segments/driver.js';
import type { Restic } from '../../tools/restic/restic.js';

type VolumeValues = Pick<Values<typeof volumeOptions>, 'mapper' | 'fsck' | 'cephfsClient'>;
type BaseValues = Pick<Values<typeof runOptions>, 'keepBase' | 'fullEvery'>;
type NeedsValues = VolumeValues & Pick<Values<typeof runOptions>, 'keepBase' | 'onCorrupt'>;

const defaultFullEveryMs = 28 * 24 * 60 * 60 * 1000;

/** How often everything is read, whatever tells what is unchanged, in milliseconds; 0: never. */
export function fullEveryOf({ fullEvery }: Pick<BaseValues, 'fullEvery'>): number {
  return fullEvery ?? defaultFullEveryMs;
}

const mappers: Record<'krbd' | 'nbd' | 'fuse', (tools: MapperTools) => Mapper> = {
  krbd,
  nbd,
  fuse,
};

const cephfsClients: Record<'kernel' | 'fuse', (tools: ClientTools) => CephfsClient> = {
  kernel: kernelClient,
  fuse: fuseClient,
};

/** The driver for each kind of volume: a new kind is one more line. */
export function drivers(
  context: CommandContext<VolumeValues & BaseValues>,
  clientsFor: ClientsFor,
  restic: Restic,
): (volume: PlannedVolume) => VolumeDriver {
  const { options, env, exec } = context;
  const tools = { exec, startDaemon, env: childEnvironment(env) };
  const locate = locateImage(clientsFor);
  const mapper = mapperOf(context);
  const stream = new RbdBlockDriver({ locate, producer, temporary: env.TMPDIR ?? '/tmp' });
  const segments = () =>
    new SegmentsDriver({
      ...tools,
      mapper,
      locate,
      restic,
      stream,
      server: [...ownProgram, serveViewCommand],
      fullEveryMs: fullEveryOf(options),
    });
  const known: Partial<Record<VolumeKind, VolumeDriver>> = {
    'rbd-block': options.keepBase === true ? segments() : stream,
    'rbd-filesystem': new RbdFilesystemDriver({
      ...tools,
      mapper,
      fsck: options.fsck ?? 'preen',
      locate,
      stream,
    }),
    cephfs: new CephfsDriver(cephfsTools(context, clientsFor)),
  };
  return ({ kind }) => {
    const driver = kind === null ? undefined : known[kind];
    if (driver !== undefined) return driver;
    throw new CephbackupError(
      'VOLUME_UNSUPPORTED',
      `volumes of kind ${kind ?? 'unknown'} are not supported yet`,
    );
  };
}

/** The way to mount CephFS that was chosen. */
export function cephfsClientOf({
  options,
  env,
  exec,
}: CommandContext<Pick<VolumeValues, 'cephfsClient'>>): CephfsClient {
  return cephfsClients[options.cephfsClient ?? 'kernel']({ exec, startDaemon, env: childEnvironment(env) });
}

/** How images are mapped, as the options say. */
export function mapperOf({ options, env, exec }: CommandContext<Pick<VolumeValues, 'mapper'>>): Mapper {
  return mappers[options.mapper ?? 'krbd']({ exec, startDaemon, env: childEnvironment(env) });
}

export function cephfsTools(
  { options, env, exec }: CommandContext<Pick<VolumeValues, 'cephfsClient'>>,
  clientsFor: ClientsFor,
): CephfsTools {
  const tools = { exec, startDaemon, env: childEnvironment(env) };
  const client = cephfsClients[options.cephfsClient ?? 'kernel'](tools);
  return { ...tools, client, cephFsFor: cephFsClients(exec, clientsFor) };
}

/** argv of the hidden subcommand that writes the image of a snapshot to stdout, below restic. */
const producer = [...ownProgram, exportImageCommand];

/** What looks for leftovers of earlier runs, one for each kind of storage. */
export function sweepers(
  context: CommandContext<Pick<VolumeValues, 'cephfsClient'>>,
  clientsFor: ClientsFor,
): Sweeper[] {
  const { hostname } = context;
  return [
    new RbdSweeper(clientsFor, hostname),
    new CephfsSweeper(cephfsTools(context, clientsFor), hostname),
  ];
}

/** Programs that each kind of volume needs. */
const needs: Record<VolumeKind, readonly string[]> = {
  'rbd-filesystem': ['rbd', 'unshare', 'nsenter', 'mount', 'umount', 'e2fsck', 'od', 'find'],
  'rbd-block': ['rbd', 'env'],
  cephfs: ['ceph', 'unshare', 'nsenter', 'mount', 'umount', 'find', 'ls', 'stat', 'mkdir', 'rmdir'],
};
/** What a disk needs beside that, where it is read by segments. */
const segmentsNeeds = ['unshare', 'nsenter', 'sh', 'mount', 'umount'];
const cephfsNeeds = { kernel: ['mount.ceph'], fuse: ['ceph-fuse'] };
const mapperNeeds = { krbd: ['mknod'], nbd: ['rbd-nbd'], fuse: ['qemu-storage-daemon'] };

/** Every program that a run of these kinds of volumes starts. */
export function neededPrograms(
  { cephfsClient, mapper, keepBase, onCorrupt }: Omit<NeedsValues, 'fsck'>,
  kinds: ReadonlySet<VolumeKind>,
  namesFsid = false,
): string[] {
  const segments = kinds.has('rbd-block') && keepBase === true;
  const wanted = new Set([
    'restic',
    'setpriv',
    'mkfifo',
    ...[...kinds].flatMap((kind) => needs[kind]),
    ...(kinds.has('rbd-filesystem') && onCorrupt === 'image' ? needs['rbd-block'] : []),
    ...(kinds.has('cephfs') ? cephfsNeeds[cephfsClient ?? 'kernel'] : []),
    // Only `ceph` says which cluster it is that answers.
    ...(namesFsid ? ['ceph'] : []),
    ...(segments ? segmentsNeeds : []),
    ...(segments || kinds.has('rbd-filesystem') ? mapperNeeds[mapper ?? 'krbd'] : []),
  ]);
  return [...wanted];
}

/** All programs that are missing for these volumes, in one error. @throws CephbackupError TOOL_MISSING */
export function checkPrograms(
  { options, env }: CommandContext<NeedsValues>,
  volumes: readonly PlannedVolume[],
): void {
  const kinds = new Set(volumes.flatMap(({ kind }) => kind ?? []));
  const namesFsid = volumes.some((volume) => namedFsid(volume) !== null);
  const missing = neededPrograms(options, kinds, namesFsid).filter((program) => {
    try {
      resolveProgram(program, env.PATH);
      return false;
    } catch {
      return true;
    }
  });
  if (missing.length === 0) return;
  throw new CephbackupError('TOOL_MISSING', `not on PATH: ${missing.join(', ')}`);
}
