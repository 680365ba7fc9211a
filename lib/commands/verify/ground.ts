import { isConfigured } from '../../kube/connection.js';
import type { PlannedVolume } from '../../plan/types.js';
import { objectNumbers, scratchName } from '../../ownership/names.js';
import type { Leftover } from '../../ownership/scope.js';
import type { Candidate } from '../../verify/rotation.js';
import { RbdSweeper } from '../../volumes/rbd/sweep.js';
import { isCephConfigured } from '../shared/ceph.js';
import { openOwnPlace, type OwnPlace } from '../restore/place.js';
import { auditNames } from '../shared/sweeping.js';
import type { VerifyContext } from './scope.js';
import { removeAbandonedFolders } from './scratch-folder.js';

/** A volume in whose pool there may be a scratch image. */
export interface DrillVolume {
  place: OwnPlace;
  volume: PlannedVolume;
  /** Of its scratch image. */
  name: string;
}

/** Where drills restore to: into scratch images beside the volumes, as far as there is a Ceph, else among the temporary files. */
export class DrillGround {
  /** What could not be removed. */
  readonly leftovers: Leftover[] = [];
  readonly warnings: string[] = [];
  readonly #place: OwnPlace | null;
  readonly #names = new Set<string>();
  readonly #numbers: Generator<number, never>;

  private constructor(
    private readonly context: VerifyContext,
    place: OwnPlace | null,
    /** Why there is no place. */
    private readonly reason: string,
  ) {
    this.#place = place;
    this.#numbers = objectNumbers(place?.lease.ordinal ?? 0);
  }

  /** Takes the lease where images will be made. @throws CephbackupError RUN_IN_PROGRESS, KUBE_… */
  static async open(context: VerifyContext): Promise<DrillGround> {
    const reason = await whyNotInCeph(context);
    const place = reason === null ? await openOwnPlace(context) : null;
    const ground = new DrillGround(context, place, reason ?? '');
    await removeAbandonedFolders((text) => ground.warnings.push(text));
    return ground;
  }

  /** Aborts when what is made would no longer be known to be ours. */
  get lost(): AbortSignal[] {
    return this.#place === null ? [] : [this.#place.lease.lost];
  }

  /** The volume whose pool takes a claim's scratch image, or why the claim is restored into a folder. */
  volumeOf({ claim }: Candidate): DrillVolume | string {
    const place = this.#place;
    if (place === null) return this.reason;
    const { cluster, volumes } = place;
    const volume = volumes.find(({ uid }) => uid === claim.uid && claim.cluster === cluster.name);
    // Only where there are volumes of ours, a later sweep would look.
    if (volume?.source == null) return 'the claim exists no more';
    if (volume.kind === 'cephfs') return 'it is a share';
    const { lease } = place;
    const name = scratchName(cluster.installation, lease.runId, this.#numbers.next().value);
    this.#names.add(name);
    return { place, volume, name };
  }

  /** Looks whether everything that was made is gone, and gives the lease back. */
  async close(): Promise<void> {
    const place = this.#place;
    if (place === null) return;
    const sweeper = new RbdSweeper(place.clientsFor, this.context.hostname);
    const audit = await auditNames([sweeper], this.#names, place.volumes, this.context.log);
    const known = new Set(this.leftovers.map(({ name }) => name));
    this.leftovers.push(...audit.leftovers.filter(({ name }) => !known.has(name)));
    this.warnings.push(...audit.warnings);
    await place.lease.release();
  }
}

async function whyNotInCeph(context: VerifyContext): Promise<string | null> {
  const { options, env, root } = context;
  if (!isCephConfigured(context)) return 'no Ceph is configured';
  if (options.kubeconfig === null && !(await isConfigured(env))) return 'no Kubernetes API is configured';
  return root ? null : 'only root can mount images';
}
