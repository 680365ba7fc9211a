import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asCephbackupError } from '../../errors/error.js';
import { baseOwner, ownerOf } from '../../ownership/names.js';
import type { Resource } from '../../ownership/scope.js';
import { formatImage, formatPlace, type ImageById, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Watcher } from '../../tools/rbd/images.js';
import type { SweepReport, SweepRequest } from '../driver.js';
import { unmapAll } from '../mappers/krbd.js';
import { isRetired } from './bases.js';
import { contentsOf, type Contents, type Limit } from './contents.js';
import { kindOf, whyNotOurs } from './parentage.js';
import type { Place } from './place.js';

/** Images that a sweep beside a run looks into one by one; the others have their turn in later runs. */
const mostLooks = 200;
/** Another shard's sweep, which removes the same image just now, watches it for so long. */
const otherSweepMs = 5_000;
const betweenLooksMs = 500;

/**
 * Finds snapshots, clones and mappings of earlier runs in one pool by their name, removes those that nobody uses: mapping,
 * clone, snapshot, in this order. A clone is removed only if its parent is the snapshot of the same name or that snapshot
 * kept as a base, a drill's scratch image only if it has none, and neither while it is watched.
 */
export class PlaceSweep {
  constructor(
    private readonly place: Place,
    private readonly request: SweepRequest,
    private readonly report: SweepReport,
    private readonly limit: Limit,
    private readonly node: string,
  ) {}

  async run(): Promise<void> {
    const { signal, thorough, nodeOnly } = this.request;
    if (nodeOnly) return this.#unmap();
    const contents = await contentsOf(this.place, { limit: this.limit, signal, thorough });
    this.report.problems.push(...contents.problems);
    await this.#unmap();
    const kept = await this.#images(contents);
    await this.#snapshots(contents, kept);
    await this.#hiddenSnapshots(contents, kept);
    await this.#trashedImages(contents, kept);
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

  /** Whether a snapshot is a base, and whether it goes; null where it is none. */
  #baseGoes(name: string, shown: string, goes: () => boolean): boolean | null {
    const owner = baseOwner(name);
    if (owner === null) return null;
    if (owner === this.request.installation) return goes();
    this.report.foreign.push({ kind: 'snapshot', name: shown, cluster: this.place.cluster });
    return false;
  }

  async #unmap(): Promise<void> {
    // Without the kernel module there is no mapping, and `rbd device list` fails.
    if (!existsSync('/sys/bus/rbd')) return;
    const { rbd, pool, namespace } = this.place;
    const mapped = await rbd.mapping.list({ signal: this.request.signal });
    for (const image of mapped) {
      if (image.pool !== pool || image.namespace !== namespace) continue;
      const shown = `${formatImage(image)} (${image.device})`;
      if (this.#isOurs(image.image, 'mapping', shown))
        await this.#remove('mapping', shown, () => unmapAll(rbd, image));
    }
  }

  /** Clones and scratch images, those in the trash included. Returns the names of those that stay. */
  async #images({ names, trashed }: Contents): Promise<Set<string>> {
    const { rbd, pool, namespace } = this.place;
    const options = { signal: this.request.signal };
    const kept = new Set<string>();
    for (const image of names) {
      const spec = { pool, namespace, image };
      const shown = formatImage(spec);
      if (!this.#isOurs(image, kindOf(image), shown)) continue;
      const gone = await this.#image(image, spec, shown, () => rbd.removeImage(spec, options));
      if (!gone) kept.add(image);
    }
    for (const { id, name } of trashed) {
      const spec = { pool, namespace, imageId: id };
      const shown = this.#trashed(name, id);
      if (!this.#isOurs(name, kindOf(name), shown)) continue;
      const gone = await this.#image(name, spec, shown, () => rbd.removeTrashedImage(spec, options));
      if (!gone) kept.add(name);
    }
    return kept;
  }

  /** Whether the clone or scratch image is gone (or would be). */
  async #image(
    name: string,
    image: ImageSpec | ImageById,
    shown: string,
    remove: () => Promise<void>,
  ): Promise<boolean> {
    const { rbd } = this.place;
    const options = { signal: this.request.signal };
    const kind = kindOf(name);
    try {
      const why = await whyNotOurs(rbd, name, image, options);
      if (why !== null) return this.#keep(kind, shown, why);
      const watchers = 'imageId' in image ? [] : await this.#watchers(image);
      if (watchers.length > 0)
        return this.#keep(kind, shown, `watched by ${watchers.map(({ address }) => address).join(', ')}`);
    } catch (thrown) {
      options.signal.throwIfAborted();
      const { code, message } = asCephbackupError(thrown);
      // A part of it, which a killed removal has left: what began the removal knew that it may go.
      if (code !== 'IMAGE_NOT_FOUND') return this.#keep(kind, shown, message);
    }
    return this.#remove(kind, shown, remove);
  }

  async #watchers(image: ImageSpec): Promise<Watcher[]> {
    const options = { signal: this.request.signal };
    const end = performance.now() + (this.request.dryRun ? 0 : otherSweepMs);
    for (;;) {
      const watchers = await this.place.rbd.watchers(image, options);
      if (watchers.length === 0 || performance.now() > end) return watchers;
      await sleep(betweenLooksMs, undefined, options);
    }
  }

  async #snapshots({ listed }: Contents, kept: ReadonlySet<string>): Promise<void> {
    const { rbd, pool, namespace } = this.place;
    for (const { image, snapshot } of listed) {
      if (snapshot === null || kept.has(snapshot)) continue;
      const spec = { pool, namespace, image };
      const shown = `${formatImage(spec)}@${snapshot}`;
      const base = this.#baseGoes(snapshot, shown, () => isRetired(spec, this.request));
      if (!(base ?? this.#isOurs(snapshot, 'snapshot', shown))) continue;
      await this.#remove('snapshot', shown, async () => {
        await rbd.snapshots.remove(spec, snapshot, { signal: this.request.signal });
      });
    }
  }

  /** Snapshots that a killed removal left in the trash namespace, where only a look at each image finds them. */
  async #hiddenSnapshots({ listed }: Contents, kept: ReadonlySet<string>): Promise<void> {
    const { pool, namespace, selected } = this.place;
    const images = new Set(listed.map(({ image }) => image));
    const candidates = [...images].filter(
      (image) => ownerOf(image) === null && (this.request.thorough || selected.has(image)),
    );
    await this.#eachLooked(candidates, async (image) => {
      const spec = { pool, namespace, image };
      await this.#snapshotsOfOne(spec, formatImage(spec), kept, 'hidden');
    });
  }

  /** An image that was deleted while we held a snapshot of it stays in the trash until the snapshot goes. */
  async #trashedImages({ trashed }: Contents, kept: ReadonlySet<string>): Promise<void> {
    const { pool, namespace } = this.place;
    const candidates = trashed.filter(({ name }) => ownerOf(name) === null);
    await this.#eachLooked(candidates, async ({ id, name }) => {
      const spec = { pool, namespace, imageId: id };
      await this.#snapshotsOfOne(spec, this.#trashed(name, id), kept, 'all');
    });
  }

  async #snapshotsOfOne(
    image: ImageSpec | ImageById,
    shownImage: string,
    kept: ReadonlySet<string>,
    which: 'hidden' | 'all',
  ): Promise<void> {
    const { rbd } = this.place;
    const options = { signal: this.request.signal };
    for (const { id, name, trashedFrom } of await rbd.snapshots.list(image, options)) {
      if ((which === 'hidden' && trashedFrom === null) || kept.has(trashedFrom ?? name)) continue;
      const shown = `${shownImage}@${trashedFrom ?? name} (id ${id})`;
      // A base that is hidden, or of an image in the trash, is of no use to anybody.
      const base = this.#baseGoes(trashedFrom ?? name, shown, () => true);
      if (!(base ?? this.#isOurs(trashedFrom ?? name, 'snapshot', shown))) continue;
      await this.#remove('snapshot', shown, () =>
        trashedFrom === null && 'imageId' in image
          ? rbd.snapshots.removeOfTrashed(image, name, options)
          : rbd.snapshots.removeTrashed(image, id, options),
      );
    }
  }

  /** Beside a run only some, another part each time: with 10,000 images it would take longer than the run. */
  async #eachLooked<T>(all: readonly T[], look: (one: T) => Promise<void>): Promise<void> {
    const { signal, thorough, log } = this.request;
    const start = thorough ? 0 : Math.floor(Math.random() * all.length);
    const part = thorough ? all : [...all.slice(start), ...all.slice(0, start)].slice(0, mostLooks);
    if (part.length < all.length)
      log.debug(`looked for hidden leftovers in ${part.length} of ${all.length} images`);
    const failures: string[] = [];
    await Promise.all(
      part.map((one) =>
        this.limit(() => look(one)).catch((thrown: unknown) => {
          signal.throwIfAborted();
          const { code, message } = asCephbackupError(thrown);
          if (code !== 'IMAGE_NOT_FOUND') failures.push(message);
        }),
      ),
    );
    if (failures.length === 0) return;
    const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
    this.report.problems.push(
      `could not look for leftovers in ${formatPlace(this.place)}: ${failures[0] ?? ''}${more}`,
    );
  }

  async #remove(kind: Resource['kind'], name: string, action: () => Promise<void>): Promise<boolean> {
    const { dryRun, log } = this.request;
    try {
      if (!dryRun) await action();
      log.info(`${dryRun ? 'would remove' : 'removed'} ${kind} ${name} of an earlier run`);
      this.report.removed.push({ kind, name, cluster: this.place.cluster });
      return true;
    } catch (thrown) {
      return this.#keep(kind, name, asCephbackupError(thrown).message);
    }
  }

  #keep(kind: Resource['kind'], name: string, reason: string): false {
    this.request.log.warn(`left in place: ${kind} ${name}`, { reason });
    this.report.leftovers.push({ kind, name, cluster: this.place.cluster, node: this.node, reason });
    return false;
  }

  #trashed(name: string, id: string): string {
    const { pool, namespace } = this.place;
    return `${formatImage({ pool, namespace, image: name })} (trashed image ${id})`;
  }
}
