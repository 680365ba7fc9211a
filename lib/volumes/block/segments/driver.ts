import { asCephbackupError, CephbackupError } from '../../../errors/error.js';
import type { Scope } from '../../../ownership/scope.js';
import { baseName, ownerOf } from '../../../ownership/names.js';
import { ExtentList } from '../../../qcow2/extents.js';
import type { BackupSource, DirectorySource } from '../../../repository/source.js';
import { mountedAt, unmount } from '../../../tools/node/mount.js';
import { openNamespace, volumeDirectory, type MountNamespace } from '../../../tools/node/namespace.js';
import type { StartDaemon } from '../../../tools/process/daemon.js';
import type { Environment } from '../../../tools/process/environment.js';
import type { Exec } from '../../../tools/process/exec.js';
import { formatImage } from '../../../tools/rbd/image-spec.js';
import type { Restic } from '../../../tools/restic/restic.js';
import { allOf } from '../../../waiting/all-of.js';
import type { VolumeDriver, VolumeJob } from '../../driver.js';
import { openImage, type Mapper, type ReadableDisk } from '../../mappers/mapper.js';
import type { LocateImage } from '../../rbd/image.js';
import { removeOwnSnapshot } from '../../rbd/own-snapshot.js';
import {
  listSnapshot,
  snapshotNumber,
  takeSnapshot,
  type RbdBlockDriver,
  type TakenSnapshot,
} from '../driver.js';
import { listExact, type SnapshotFacts } from '../listing.js';
import { defaultStalledMs, stalled } from '../standstill.js';
import { diffIsRight, judgeBase, type BaseUse, type ParentDisk } from './base.js';
import { whyNoFuse } from '../../../fuse/available.js';
import { futureBase } from './future-base.js';
import { formatFacts, imageTime, segmentBytesFor, segmentsPerFolder, type DiskFacts } from './format.js';
import { readParent } from './parent.js';
import { sinceBase } from './since-base.js';
import { planSegments, type Segment } from './plan.js';
import { startView, type ViewProcess } from './start.js';

export interface SegmentsTools {
  exec: Exec;
  startDaemon: StartDaemon;
  env: Environment;
  mapper: Mapper;
  locate: LocateImage;
  restic: Restic;
  /** argv of the view's server. */
  server: readonly string[];
  /** For disks of which no view can be made. */
  stream: RbdBlockDriver;
  /** 0: never. */
  fullEveryMs: number;
  /** How long one read of the mapped clone is waited for; default: 20 minutes. */
  stalledMs?: number;
}

interface Judged {
  use: BaseUse;
  /** Only where the base is used. */
  parent: ParentDisk | null;
  /** Since the base; of no meaning without a parent. */
  changes: ExtentList;
}

/** What the previous backup has of the disk. */
type ParentListing = ParentDisk | 'other' | 'damaged';

/**
 * Shows a snapshot of the image to restic as a folder of segments (format 2), each with the time of its last change: restic
 * reads what changed since the base, and takes the rest from the parent. Nothing is cloned or mapped where nothing is read.
 */
export class SegmentsDriver implements VolumeDriver {
  constructor(private readonly tools: SegmentsTools) {}

  async prepare(job: VolumeJob): Promise<BackupSource> {
    // It takes as long as all that Ceph is asked for; who plans hears of what went wrong.
    const parent = this.#readParent(job);
    parent.catch(() => undefined);
    const held = { value: false };
    const taken = await takeSnapshot(this.tools.locate, job, async (rbd, image) => {
      if (!held.value) await removeOwnSnapshot(rbd, image, job.name);
    });
    const namespace = await this.#placeForView(job, taken);
    if (namespace === null)
      return { ...(await this.tools.stream.stream(job, taken)), base: 'unavailable' satisfies BaseUse };
    const { segments, use } = await this.#plan(job, taken, parent);
    const source = await this.#show(job, taken, namespace, segments, use);
    return { ...source, disk: { ...source.disk, snapshot: futureBase(job, taken, held) } };
  }

  /** Null, and a warning, where no view can be made of the disk. */
  async #placeForView(job: VolumeJob, { facts }: TakenSnapshot): Promise<MountNamespace | null> {
    const none = (why: string) => {
      job.warn(`the disk is read whole, as a stream, and no base is kept: ${why}`);
      return null;
    };
    const refused = unfit(facts.size) ?? (await whyNoFuse());
    if (refused !== null) return none(refused);
    try {
      return await this.#openNamespace(job);
    } catch (thrown) {
      job.signal.throwIfAborted();
      return none(asCephbackupError(thrown).message);
    }
  }

  async #plan(
    job: VolumeJob,
    taken: TakenSnapshot,
    reading: Promise<ParentListing | null>,
  ): Promise<{ segments: Segment[]; use: BaseUse }> {
    const { rbd, image, facts } = taken;
    const { signal, name } = job;
    const disk = diskOf(facts);
    const [judged, extents] = await Promise.all([
      this.#judge(job, taken, disk, reading),
      listExact((whole) => listSnapshot(rbd, image, name, whole, facts, signal), facts),
    ]);
    const { use, parent: usable, changes } = judged;
    const segments = planSegments({
      facts: disk,
      extents,
      parent: usable?.segments ?? null,
      changes,
      time: { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 },
    });
    const read = segments.filter((segment) => segment.read).length;
    job.log.info(`base: ${use}; ${read} of ${segments.length} segments are read`);
    return { segments, use };
  }

  async #judge(
    job: VolumeJob,
    taken: TakenSnapshot,
    facts: DiskFacts,
    reading: Promise<ParentListing | null>,
  ): Promise<Judged> {
    const { rbd, snapshots } = taken;
    const { signal, volume, name } = job;
    const [previous, version] = await allOf([job.parent(), rbd.version({ signal })]);
    const wanted = previous === null ? null : baseName(ownerOf(name)?.installation ?? '', previous.id);
    const base = snapshots.find((snapshot) => snapshot.name === wanted && snapshot.trashedFrom === null);
    const isRight = ({ fastDiff }: SnapshotFacts) => diffIsRight(version, taken.facts.fastDiff && fastDiff);
    // The repository and Ceph are asked at once: that a base is not used after all is rare.
    const [parent, asked] = await allOf([
      reading,
      base === undefined ? null : settled(sinceBase([job, taken, base], isRight)),
    ]);
    const judge = (known: DiskFacts | null, right: boolean) =>
      judgeBase({
        parent,
        facts,
        base: known,
        imageTime: imageTime(String(taken.imageId)),
        diffIsRight: right,
        uid: volume.uid,
        now: Date.now(),
        fullEveryMs: this.tools.fullEveryMs,
        failedLast: job.failedLast,
      });
    if (asked?.status === 'rejected') {
      signal.throwIfAborted();
      const use = judge(facts, true);
      if (use === 'used') throw asked.reason;
      return { use, parent: null, changes: new ExtentList() };
    }
    const since = asked?.value ?? null;
    const use = judge(since === null ? null : diskOf(since.base), since?.changes != null);
    const changes = since?.changes ?? new ExtentList();
    return { use, parent: use === 'used' && typeof parent === 'object' ? parent : null, changes };
  }

  async #readParent(job: VolumeJob): Promise<ParentListing | null> {
    const backup = await job.parent();
    if (backup === null) return null;
    try {
      return await readParent(this.tools.restic, backup.id, job.signal);
    } catch (thrown) {
      if (asCephbackupError(thrown).code !== 'BACKUP_DAMAGED') throw thrown;
      job.warn(
        `the previous backup is damaged in the repository, so that everything is read: ${asCephbackupError(thrown).message}`,
      );
      return 'damaged';
    }
  }

  async #show(
    job: VolumeJob,
    taken: TakenSnapshot,
    namespace: MountNamespace,
    segments: Segment[],
    use: BaseUse,
  ) {
    const { rbd, image, snapshotId, facts } = taken;
    const { scope } = job;
    const disk = diskOf(facts);
    const failures: CephbackupError[] = [];
    const stalledMs = this.tools.stalledMs ?? defaultStalledMs;
    let mapping: Promise<void> | null = null;
    const map = (view: ViewProcess) =>
      (mapping ??= this.#map(job, taken, namespace, cloneSlot, mappingSlot)
        .then((disk) => {
          view.useDisk(disk);
        })
        .catch(async (thrown: unknown) => {
          failures.push(asCephbackupError(thrown));
          // Whoever waits for the disk gets an error, and restic ends.
          await view.daemon.stop();
        }));
    // Below the view: it reads the device, and must end before.
    const [cloneSlot, mappingSlot] = [slot(scope), slot(scope)];
    let started: ViewProcess | null = null;
    scope.add(null, async () => {
      // A device that is being mapped must not come later.
      await mapping;
      await unmount(this.tools.exec, namespace, volumeDirectory);
      await started?.daemon.stop();
    });
    const view = await startView({
      startDaemon: this.tools.startDaemon,
      env: this.tools.env,
      command: this.tools.server,
      namespace,
      plan: { facts: disk, segments, imageTime: imageTime(String(taken.imageId)), stalledMs },
      onNeed: () => {
        if (started !== null) void map(started);
      },
      onFailure: (error) => failures.push(error),
      onStall: (offset) =>
        failures.push(stalled('the mapped clone', stalledMs, `at byte ${offset} of the disk`)),
    });
    started = view;
    if (segments.some(({ read }) => read)) {
      job.step('mapping clone');
      await map(view);
      for (const failure of failures) throw failure;
    }
    let bytesRead = 0;
    const expectedBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, formatFacts(disk).length);
    const folders = new Set(segments.map(({ index }) => Math.floor(index / segmentsPerFolder)));
    return {
      type: 'directory',
      namespace,
      path: volumeDirectory,
      readAll: use === 'used' || use === 'first' ? null : use,
      resticOptions: ['--ignore-inode', '--ignore-ctime'],
      confirm: async () => {
        for (const failure of failures) throw failure;
        if ((await mountedAt(namespace, volumeDirectory))?.fsType !== 'fuse')
          throw new CephbackupError('MOUNT_WRONG', 'the view of the disk is not mounted any more');
        const report = await view.report();
        bytesRead = report.bytesRead;
        const complete = new Set(report.complete);
        const missed = segments.filter(({ index, read }) => read && !complete.has(index));
        if (missed.length > 0)
          throw new CephbackupError('READ_INCOMPLETE', `${missed.length} changed segments were not read`);
        // One that was removed meanwhile would have read as zeros. Whoever ends the run does not throw away what is saved.
        if (snapshotNumber(await rbd.snapshots.list(image), job.name) !== snapshotId)
          throw new CephbackupError('SNAPSHOT_VANISHED', `the snapshot ${job.name} was replaced`);
      },
      disk: {
        imageSize: facts.size,
        expectedBytes,
        entries: segments.length + folders.size + 2,
        base: use,
        begin: () => view.begin(),
        bytesRead: () => bytesRead,
        failure: () => failures[0] ?? null,
      },
    } satisfies Omit<DirectorySource, 'disk'> & { disk: unknown };
  }

  /**
   * Where the snapshot's bytes can be read. A clone keeps them although the snapshot is removed; and who reads it watches
   * the clone, not the image, which must not look as if a node used it.
   */
  async #map(
    job: VolumeJob,
    taken: TakenSnapshot,
    namespace: MountNamespace,
    cloneScope: Pick<Scope, 'add'>,
    mappingScope: Pick<Scope, 'add'>,
  ): Promise<ReadableDisk> {
    const { rbd, image, cluster } = taken;
    const { volume, signal, log, name } = job;
    const clone = { ...image, image: name };
    cloneScope.add({ kind: 'clone', name: formatImage(clone), cluster }, () => rbd.removeImage(clone));
    const features = await this.tools.mapper.cloneFeatures();
    // Nothing is written to it, so that it needs no pool for data.
    await rbd.clone(image, name, clone, { features, dataPool: null }, { signal });
    return openImage(this.tools.mapper, {
      image: clone,
      rbd,
      namespace,
      scope: mappingScope,
      cluster,
      signal,
      log,
      mapOptions: volume.details?.clientOptions.used ?? [],
    });
  }

  async #openNamespace({ scope }: VolumeJob): Promise<MountNamespace> {
    const opening = openNamespace(this.tools.startDaemon, this.tools.env);
    scope.add(null, async () => (await opening.catch(() => null))?.close());
    return opening;
  }
}

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [end] = await Promise.allSettled([promise]);
  return end;
}

/** A place in the order of release for one thing that may be acquired later. */
function slot(scope: Scope): Pick<Scope, 'add'> {
  let held: { resource: Parameters<Scope['add']>[0]; release: () => Promise<void> } | null = null;
  scope.add(
    () => (typeof held?.resource === 'function' ? held.resource() : (held?.resource ?? null)),
    async () => held?.release(),
  );
  return {
    add: (resource, release) => {
      held = { resource, release };
    },
  };
}

/** Why no view can be made of a disk, or null. */
function unfit(sizeBytes: number): string | null {
  if (sizeBytes === 0) return 'it is empty';
  // Devices end at a whole sector.
  return sizeBytes % 512 === 0 ? null : 'its size is no multiple of 512 bytes';
}

function diskOf({ size, objectSize }: { size: number; objectSize: number }): DiskFacts {
  return { sizeBytes: size, segmentBytes: segmentBytesFor(size, objectSize) };
}
