import type { EpochMs } from '../../log/time.js';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { readStorageClasses } from '../../kube/inventory.js';
import type { StorageClass } from '../../kube/types.js';
import type { Plan, PlannedVolume, Reason } from '../../plan/types.js';
import { claimManifest, saveManifests, type ImageFacts, type Manifests } from '../../repository/manifests.js';
import type { Restic } from '../../tools/restic/restic.js';
import { readFacts, readImageFacts } from '../../volumes/rbd/facts.js';
import { locateImage, type ClientsFor } from '../../volumes/rbd/image.js';
import type { Cluster } from '../shared/cluster.js';
import type { CommandContext } from '../../cli/command.js';

export interface ManifestsRequest {
  cluster: Cluster;
  plan: Plan;
  /** Whether claims are left out by what narrows the run. */
  narrowed: boolean;
  restic: Restic;
  lease: { runId: string };
  /** Settles when the repository is open, or cannot be opened. */
  opened: Promise<unknown>;
  clientsFor: ClientsFor;
  signal: AbortSignal;
}

/** Claims that are no claims of Ceph volumes. */
const notConsidered: ReadonlySet<Reason> = new Set(['not-bound', 'claim-mismatch', 'not-ceph']);

/** Saves what is needed to recreate the claims, before any volume is marked. */
export class RunManifests {
  readonly warnings: string[] = [];
  /** What could not be saved. */
  readonly errors: CephbackupError[] = [];
  /** What was saved last; null where nothing was. Settles, and never rejects. */
  #saved: Promise<Manifests | null>;
  /** By the claim's UID, of encrypted images: as they were when their backup began. */
  readonly #keys = new Map<string, ImageFacts>();

  constructor(
    private readonly context: CommandContext<{ concurrency: number | null }>,
    private readonly request: ManifestsRequest,
  ) {
    // Earlier than any backup of this run: what is saved again has the time of a backup, and is nearer to it.
    const time = context.clock() - 1000;
    this.#saved = this.#attempt(null, () => this.#save(time));
  }

  /** Resolves when everything that was asked for is saved, or cannot be. */
  async end(): Promise<void> {
    await this.#saved;
  }

  /**
   * Reads the metadata of an encrypted image, which may be all that there is of its key: a backup without it might never
   * be opened.
   * @throws CephbackupError as Rbd
   */
  async readKey(volume: PlannedVolume, signal: AbortSignal): Promise<void> {
    if (volume.kind !== 'rbd-block' || volume.details?.encrypted !== true) return;
    const read = () => readFacts(volume, locateImage(this.request.clientsFor), signal);
    try {
      // Once more for any reason, also one that is not known to pass.
      this.#keys.set(volume.uid, await read().catch(read));
    } catch (thrown) {
      const { code, message, guidance } = asCephbackupError(thrown);
      const text = `the metadata of the encrypted image, its wrapped key perhaps, cannot be read: ${message}`;
      throw new CephbackupError(code, text, { guidance, cause: thrown });
    }
  }

  /**
   * Resolves when a volume may be marked: when its manifest is saved, or cannot be. Images may be resized before their
   * snapshot is taken: where its size is another, all manifests are saved once more.
   *
   * @param imageSize of the snapshot that was backed up, in bytes; null where the manifests tell none
   * @param time of the backup
   */
  async mayMark(volume: PlannedVolume, imageSize: number | null, time: EpochMs): Promise<void> {
    // One after the other: each builds on the one before.
    this.#saved = this.#saved.then((saved) => {
      if (saved === null || imageSize === null) return saved;
      return this.#attempt(saved, () => this.#corrected(saved, volume, imageSize, time));
    });
    await this.#saved;
  }

  async #save(time: number): Promise<Manifests | null> {
    const { cluster, plan, narrowed, lease, clientsFor, signal, opened } = this.request;
    const considered = plan.volumes.filter(({ reason }) => !notConsidered.has(reason));
    if (considered.length === 0) return null;
    const { log, options, clock } = this.context;
    const [storageClasses, images] = await Promise.all([
      readStorageClasses(cluster.api, { signal }).catch((thrown: unknown): StorageClass[] => {
        this.warnings.push(`storage classes are not saved: ${asCephbackupError(thrown).message}`);
        return [];
      }),
      readImageFacts(considered, locateImage(clientsFor), options.concurrency ?? 4, signal),
    ]);
    for (const problem of images.problems) log.debug(problem);
    const claims = considered.map((volume) => claimManifest(volume, images.facts.get(volume.uid) ?? null));
    const about = { version: 1 as const, cluster: cluster.name, run: lease.runId, narrowed };
    const put = (until: AbortSignal) =>
      this.#put({ ...about, time: new Date(clock()).toISOString(), claims, storageClasses }, time, until);
    // Beside the opening, in whose time restic derives its key.
    const abandoned = new AbortController();
    const notOpened = opened.then(
      () => null,
      (thrown: unknown) => {
        abandoned.abort(thrown);
        return thrown;
      },
    );
    return put(AbortSignal.any([signal, abandoned.signal])).catch(async (thrown: unknown) => {
      // A repository that cannot be opened is told by whoever opens it, who may also have waited for it.
      if ((await notOpened) !== null) return null;
      if (signal.aborted) throw thrown;
      return put(signal);
    });
  }

  async #corrected(
    saved: Manifests,
    { uid, namespace, pvc, details }: PlannedVolume,
    imageSize: number,
    time: number,
  ): Promise<Manifests> {
    const old = saved.claims.find((claim) => claim.uid === uid)?.image ?? null;
    const metadata = this.#keys.get(uid)?.metadata ?? old?.metadata ?? {};
    const same = JSON.stringify(metadata) === JSON.stringify(old?.metadata);
    if (old?.sizeBytes === imageSize && same) return saved;
    // Without its metadata, which may be its key, an encrypted image is better not told of: older manifests may know it.
    if (details?.encrypted && old === null && !this.#keys.has(uid)) return saved;
    this.context.log.debug(`${namespace}/${pvc}: saving its manifest again, as its image is by now`);
    const image: ImageFacts = { metadata, sizeBytes: imageSize };
    const claims = saved.claims.map((claim) => (claim.uid === uid ? { ...claim, image } : claim));
    return this.#put({ ...saved, claims }, time, this.request.signal);
  }

  async #put(manifests: Manifests, time: number, signal: AbortSignal): Promise<Manifests> {
    const { restic } = this.request;
    const id = await saveManifests(restic, manifests, time, signal);
    const { log } = this.context;
    log.info('saved manifests', { snapshot: id.slice(0, 8), claims: manifests.claims.length });
    return manifests;
  }

  /** What was saved; where that fails, what was saved `before`. */
  async #attempt(before: Manifests | null, save: () => Promise<Manifests | null>): Promise<Manifests | null> {
    try {
      return await save();
    } catch (thrown) {
      const cause = asCephbackupError(thrown);
      const message = `the manifests of this run could not be saved: ${cause.message}`;
      if (!this.request.signal.aborted) {
        this.errors.push(new CephbackupError('MANIFESTS_NOT_SAVED', message, { cause }));
      }
      return before;
    }
  }
}
