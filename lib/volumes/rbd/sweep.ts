import { existsSync } from 'node:fs';
import pLimit from 'p-limit';
import { asCephbackupError } from '../../errors/error.js';
import type { PlannedVolume, RbdSource } from '../../plan/types.js';
import { isScratchName, ownerOf } from '../../ownership/names.js';
import type { Leftover, Resource } from '../../ownership/scope.js';
import { formatImage, type ImageSpec, type ListedImage, type Rbd } from '../../tools/rbd/images.js';
import type { AuditRequest, SweepReport, Sweeper, SweepRequest } from '../driver.js';
import { unmapAll } from '../mappers/krbd.js';
import type { ClientsFor } from './image.js';

/** A pool or RADOS namespace that holds images. */
interface Place {
  rbd: Rbd;
  cluster: string | null;
  pool: string;
  namespace: string | null;
}

/** Commands at a time: a sweep runs beside the backups and must not slow them down. */
const concurrency = 2;

/**
 * Finds snapshots, clones and mappings of earlier runs by their name, removes those that nobody uses: mapping, clone,
 * snapshot, in this order. A clone is removed only if its parent is the snapshot of the same name, a drill's scratch
 * image only if it has none, and neither while it is watched.
 */
export class RbdSweeper implements Sweeper {
  readonly #limit = pLimit(concurrency);

  constructor(
    private readonly clientsFor: ClientsFor,
    private readonly node: string,
  ) {}

  async sweep(request: SweepRequest): Promise<SweepReport> {
    const report: SweepReport = { removed: [], leftovers: [], foreign: [], problems: [] };
    await Promise.all(
      this.#places(request.volumes).map(async (place) => {
        try {
          await new PlaceSweep(place, request, report, this.#limit, this.node).run();
        } catch (thrown) {
          const where = [place.pool, place.namespace].filter(Boolean).join('/');
          report.problems.push(
            `could not look for leftovers in ${where}: ${asCephbackupError(thrown).message}`,
          );
        }
      }),
    );
    return report;
  }

  async audit({ names, volumes, signal }: AuditRequest): Promise<Leftover[]> {
    const found = await Promise.all(
      this.#places(volumes).map(async ({ rbd, cluster, pool, namespace }) => {
        const listed = await this.#limit(() => rbd.list(pool, namespace, { signal }));
        return listed
          .filter(({ image, snapshot }) => names.has(snapshot ?? image))
          .map(({ image, snapshot }): Leftover => {
            const name = formatImage({ pool, namespace, image }) + (snapshot === null ? '' : `@${snapshot}`);
            const kind = snapshot === null ? kindOf(image) : 'snapshot';
            return { kind, name, cluster, node: this.node, reason: 'it is still there after its removal' };
          });
      }),
    );
    return found.flat();
  }

  #places(volumes: readonly PlannedVolume[]): Place[] {
    const places = new Map<string, Place>();
    for (const { source, details, kind } of volumes) {
      if (source === null || kind === 'cephfs' || !('pool' in source) || source.pool === null) continue;
      const { cluster, pool, radosNamespace: namespace } = source;
      const { rbd } = this.clientsFor(details?.monitors ?? null);
      places.set(JSON.stringify([details?.monitors ?? null, pool, namespace]), {
        rbd,
        cluster,
        pool,
        namespace,
      });
    }
    return [...places.values()];
  }
}

/** What an image with a name of ours is. */
function kindOf(image: string): 'clone' | 'image' {
  return isScratchName(image) ? 'image' : 'clone';
}

class PlaceSweep {
  constructor(
    private readonly place: Place,
    private readonly request: SweepRequest,
    private readonly report: SweepReport,
    private readonly limit: ReturnType<typeof pLimit>,
    private readonly node: string,
  ) {}

  async run(): Promise<void> {
    const { rbd, pool, namespace } = this.place;
    const options = { signal: this.request.signal };
    const [listed, trashed] = await Promise.all([
      this.limit(() => rbd.list(pool, namespace, options)),
      this.limit(() => rbd.trash(pool, namespace, options)),
    ]);
    const images = listed.filter(
      ({ image, snapshot }) => snapshot === null && this.#isOurs(image, kindOf(image), image),
    );
    await this.#unmap();
    const kept = new Set<string>();
    for (const image of images) {
      if (!(await this.#sweepImage(image))) kept.add(image.image);
    }
    for (const { image, snapshot } of listed) {
      if (snapshot === null || kept.has(snapshot)) continue;
      const resource = `${formatImage({ pool, namespace, image })}@${snapshot}`;
      if (!this.#isOurs(snapshot, 'snapshot', resource)) continue;
      await this.#remove('snapshot', resource, () =>
        rbd.removeSnapshot({ pool, namespace, image }, snapshot, options),
      );
    }
    await this.#hiddenSnapshots(listed, kept);
    await Promise.all(trashed.map(({ id, name }) => this.limit(() => this.#trashedImage(id, name, kept))));
  }

  /** Whether a name is an object of our own dead runs; notes what belongs to another installation. */
  #isOurs(name: string, kind: Resource['kind'], shown: string): boolean {
    const owner = ownerOf(name);
    if (owner === null) return false;
    if (owner.installation !== this.request.installation) {
      this.report.foreign.push({ kind, name: shown, cluster: this.place.cluster });
      return false;
    }
    return !this.request.liveRuns.has(owner.run);
  }

  async #unmap(): Promise<void> {
    // Without the kernel module there is no mapping, and `rbd device list` fails.
    if (!existsSync('/sys/bus/rbd')) return;
    const { rbd, pool, namespace } = this.place;
    const mapped = await rbd.mapped({ signal: this.request.signal });
    for (const image of mapped) {
      if (image.pool !== pool || image.namespace !== namespace) continue;
      const shown = `${formatImage(image)} (${image.device})`;
      if (this.#isOurs(image.image, 'mapping', shown))
        await this.#remove('mapping', shown, () => unmapAll(rbd, image));
    }
  }

  /** Whether the clone or scratch image is gone (or would be). */
  async #sweepImage({ image, parent }: ListedImage): Promise<boolean> {
    const { rbd, pool, namespace } = this.place;
    const options = { signal: this.request.signal };
    const spec: ImageSpec = { pool, namespace, image };
    const shown = formatImage(spec);
    const kind = kindOf(image);
    if (kind === 'clone' && parent?.snapshot !== image) {
      this.#keep(kind, shown, 'its parent is not the snapshot of the same name');
      return false;
    }
    if (kind === 'image' && parent !== null) {
      this.#keep(kind, shown, 'it has a parent, which no scratch image has');
      return false;
    }
    const watchers = await rbd.watchers(spec, options);
    if (watchers.length > 0) {
      this.#keep(kind, shown, `watched by ${watchers.map(({ address }) => address).join(', ')}`);
      return false;
    }
    return this.#remove(kind, shown, () => rbd.removeImage(spec, options));
  }

  /** Snapshots that a killed removal left in the trash namespace, where only a look at each image finds them. */
  async #hiddenSnapshots(listed: readonly ListedImage[], kept: ReadonlySet<string>): Promise<void> {
    const { rbd, pool, namespace } = this.place;
    const selected = new Set(
      this.request.volumes.flatMap(({ backup, source }) =>
        backup ? ((source as RbdSource | null)?.image ?? []) : [],
      ),
    );
    const images = new Set(listed.map(({ image }) => image));
    const candidates = [...images].filter(
      (image) => ownerOf(image) === null && (this.request.thorough || selected.has(image)),
    );
    await Promise.all(
      candidates.map((image) =>
        this.limit(async () => {
          const spec = { pool, namespace, image };
          const options = { signal: this.request.signal };
          for (const { id, trashedFrom } of await rbd.snapshots(spec, options).catch(() => [])) {
            if (trashedFrom === null || kept.has(trashedFrom)) continue;
            const shown = `${formatImage(spec)}@${trashedFrom} (id ${id})`;
            if (!this.#isOurs(trashedFrom, 'snapshot', shown)) continue;
            await this.#remove('snapshot', shown, () => rbd.removeTrashedSnapshot(spec, id, options));
          }
        }),
      ),
    );
  }

  /** An image that was deleted while we held a snapshot of it stays in the trash until the snapshot goes. */
  async #trashedImage(imageId: string, name: string, kept: ReadonlySet<string>): Promise<void> {
    const { rbd, pool, namespace } = this.place;
    const options = { signal: this.request.signal };
    const snapshots = await rbd.snapshots({ pool, namespace, imageId }, options).catch(() => []);
    for (const { name: snapshot, trashedFrom } of snapshots) {
      if (trashedFrom !== null || kept.has(snapshot)) continue;
      const shown = `${formatImage({ pool, namespace, image: name })}@${snapshot} (trashed image ${imageId})`;
      if (!this.#isOurs(snapshot, 'snapshot', shown)) continue;
      await this.#remove('snapshot', shown, () =>
        rbd.removeSnapshotOfTrashed(pool, namespace, imageId, snapshot, options),
      );
    }
  }

  async #remove(kind: Resource['kind'], name: string, action: () => Promise<void>): Promise<boolean> {
    const { dryRun, log } = this.request;
    try {
      if (!dryRun) await action();
      log.info(`${dryRun ? 'would remove' : 'removed'} ${kind} ${name} of an earlier run`);
      this.report.removed.push({ kind, name, cluster: this.place.cluster });
      return true;
    } catch (thrown) {
      this.#keep(kind, name, asCephbackupError(thrown).message);
      return false;
    }
  }

  #keep(kind: Resource['kind'], name: string, reason: string): void {
    this.request.log.warn(`left in place: ${kind} ${name}`, { reason });
    this.report.leftovers.push({ kind, name, cluster: this.place.cluster, node: this.node, reason });
  }
}
