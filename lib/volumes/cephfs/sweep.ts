import { asCephbackupError } from '../../errors/error.js';
import type { CephfsSource } from '../../plan/types.js';
import { ownerOf } from '../../ownership/names.js';
import { silent } from '../../log/logger.js';
import { formatSubvolume, subvolumeSpec, type CephFs } from '../../tools/ceph/fs.js';
import type { AuditReport, AuditRequest, SweepReport, Sweeper, SweepRequest } from '../driver.js';
import type { CephfsTools } from './driver.js';
import { findFilesystem } from './locate.js';
import { findSnapshots, type FoundSnapshot } from './find-snapshots.js';
import { removeSnapshotDirectory, withMounted } from './mounted.js';
import { noGroup, placeOf, subvolumesDirectory } from './place.js';

/** A directory to search: a group with all of its subvolumes, or a single directory. */
interface Area {
  cephFs: CephFs;
  cluster: string | null;
  fs: string;
  /** The directory that is mounted. */
  root: string;
  /** Whether it is a group: its directories are searched, and not itself. */
  group: boolean;
  kernelOptions: readonly string[];
}

/**
 * Finds snapshots of earlier runs by their names in each `.snap` of the groups and directories that volumes are in. A
 * mount shows them at once, also those of subvolumes that were removed with `--retain-snapshots`; the manager would
 * have to be asked once for each subvolume.
 */
export class CephfsSweeper implements Sweeper {
  constructor(
    private readonly tools: CephfsTools,
    private readonly node: string,
  ) {}

  async sweep(request: SweepRequest): Promise<SweepReport> {
    const report: SweepReport = { removed: [], leftovers: [], foreign: [], problems: [] };
    // A mount of CephFS ends with its process.
    if (request.nodeOnly) return report;
    const areas = await this.#areas(request, report);
    for (const area of areas) {
      try {
        await new AreaSweep(area, request, report, this.tools, this.node).run();
      } catch (thrown) {
        report.problems.push(this.#problem(`${area.fs}:${area.root}`, thrown));
      }
    }
    return report;
  }

  async audit({ names, volumes, signal }: AuditRequest): Promise<AuditReport> {
    const installations = new Set([...names].flatMap((name) => ownerOf(name)?.installation ?? []));
    const found = await Promise.all(
      [...installations].map((installation) =>
        this.sweep({
          installation,
          liveRuns: new Set(),
          volumes,
          thorough: false,
          nodeOnly: false,
          bases: 'keep',
          everyClaim: [],
          dryRun: true,
          signal,
          log: silent,
        }),
      ),
    );
    const leftovers = found
      .flatMap(({ removed }) => removed)
      .filter(({ name }) => names.has(name.slice(name.lastIndexOf('cephbackup-'))))
      .map((left) => ({ ...left, node: this.node, reason: 'it is still there after its removal' }));
    return { leftovers, problems: found.flatMap(({ problems }) => problems) };
  }

  async #areas({ volumes, signal }: SweepRequest, report: SweepReport): Promise<Area[]> {
    const areas = new Map<string, Area>();
    for (const volume of volumes) {
      if (volume.kind !== 'cephfs' || volume.source === null) continue;
      try {
        const cephFs = this.tools.cephFsFor(volume.details?.monitors ?? null);
        const { name: fs } = await findFilesystem(cephFs, volume, signal);
        const { root, group } = searched(volume.source as CephfsSource);
        const key = JSON.stringify([volume.details?.monitors ?? null, fs, root]);
        const kernelOptions = volume.details?.clientOptions.used ?? [];
        const { cluster } = volume.source;
        const area = areas.get(key) ?? { cephFs, cluster, fs, root, group, kernelOptions };
        // One that names none beside others that do is mounted as they are.
        areas.set(key, area.kernelOptions.length === 0 ? { ...area, kernelOptions } : area);
      } catch (thrown) {
        const problem = this.#problem(`where ${volume.namespace}/${volume.pvc} is`, thrown);
        if (!report.problems.includes(problem)) report.problems.push(problem);
      }
    }
    return [...areas.values()];
  }

  #problem(where: string, thrown: unknown): string {
    return `could not look for leftovers in ${where}: ${asCephbackupError(thrown).message}`;
  }
}

function searched({ group, path }: CephfsSource): Pick<Area, 'root' | 'group'> {
  if (path === null) return { root: `${subvolumesDirectory}/${group ?? noGroup}`, group: true };
  const { root } = placeOf(path);
  const [, top, inGroup, name] = root.split('/');
  if (`/${top ?? ''}` !== subvolumesDirectory || inGroup === undefined || name === undefined) {
    return { root, group: false };
  }
  return { root: `/${top}/${inGroup}`, group: true };
}

class AreaSweep {
  constructor(
    private readonly area: Area,
    private readonly request: SweepRequest,
    private readonly report: SweepReport,
    private readonly tools: CephfsTools,
    private readonly node: string,
  ) {}

  async run(): Promise<void> {
    const { signal } = this.request;
    const { group } = this.area;
    try {
      const found = await withMounted(this.tools, { ...this.area, writable: false }, signal, (_, namespace) =>
        findSnapshots(this.tools, namespace, group ? 'children' : 'itself', signal),
      );
      for (const snapshot of found) await this.#handle(snapshot);
    } catch (thrown) {
      // A group or directory that does not exist has no snapshots.
      const error = asCephbackupError(thrown);
      if (!['SUBVOLUME_NOT_FOUND', 'DIRECTORY_NOT_FOUND'].includes(error.code)) throw error;
    }
  }

  async #handle({ directory, name, managed }: FoundSnapshot): Promise<void> {
    const { area, request, report } = this;
    const { fs, cluster, cephFs } = area;
    const owner = ownerOf(name);
    if (owner === null) return;
    const group = area.root.slice(subvolumesDirectory.length + 1);
    const path = [area.root, directory].filter((part) => part !== '').join('/');
    const shown = managed ? `${nameOf(fs, group, directory)}@${name}` : `${fs}:${path}/.snap/${name}`;
    const resource = { kind: 'snapshot', name: shown, cluster } as const;
    if (owner.installation !== request.installation) {
      report.foreign.push(resource);
      return;
    }
    if (request.liveRuns.has(owner.run)) return;
    try {
      if (!request.dryRun) {
        if (managed)
          await cephFs.removeSnapshot(specOf(fs, group, directory), name, { signal: request.signal });
        else await removeSnapshotDirectory(this.tools, { ...area, root: path }, name);
      }
      request.log.info(`${request.dryRun ? 'would remove' : 'removed'} snapshot ${shown} of an earlier run`);
      report.removed.push(resource);
    } catch (thrown) {
      const reason = asCephbackupError(thrown).message;
      request.log.warn(`left in place: snapshot ${shown}`, { reason });
      report.leftovers.push({ ...resource, node: this.node, reason });
    }
  }
}

function specOf(fs: string, group: string, subvolume: string) {
  return subvolumeSpec(fs, group === noGroup ? null : group, subvolume);
}

function nameOf(fs: string, group: string, subvolume: string): string {
  return formatSubvolume({ fs, group: group === noGroup ? null : group, subvolume });
}
