import { randomBytes } from 'node:crypto';
import { asCephbackupError } from '../../../errors/error.js';
import type { PlannedVolume } from '../../../plan/types.js';
import { formatImage, formatPlace, type ImageSpec } from '../../../tools/rbd/image-spec.js';
import type { Rbd } from '../../../tools/rbd/images.js';
import { locateImage } from '../../../volumes/rbd/image.js';
import { failed, ok, type Check, type Finding } from '../check.js';
import { cephDeadlineMs, type Setup } from '../setup.js';

interface LocatedVolume {
  volume: PlannedVolume;
  image: ImageSpec;
}

/** A pool, or a RADOS namespace of one, with the images that are to be backed up. */
interface Place {
  rbd: Rbd;
  /** Whom Ceph knows there, without `client.`. */
  user: string;
  pool: string;
  namespace: string | null;
  volumes: LocatedVolume[];
  /** Names of all images; or why they cannot be listed. */
  listed: Set<string> | Finding;
}

interface Places {
  places: Place[];
  /** Volumes that are nowhere. */
  lost: Finding[];
}

function places(setup: Setup): Promise<Places> {
  return setup.once('images', async () => {
    const { clientsFor, connectionOf, signal } = setup.parts;
    const locate = locateImage(clientsFor);
    const found = new Map<string, Place>();
    const lost: Finding[] = [];
    for (const volume of await setup.volumes('rbd-filesystem', 'rbd-block')) {
      const monitors = volume.details?.monitors ?? null;
      await setup.cephStatus(monitors);
      try {
        const { rbd, image } = await locate(volume, signal);
        const { pool, namespace } = image;
        const key = [monitors?.join(','), pool, namespace].join('\n');
        const user = connectionOf(monitors).user ?? 'admin';
        const place = found.get(key) ?? {
          ...{ rbd, user, pool, namespace },
          volumes: [],
          listed: new Set<string>(),
        };
        place.volumes.push({ volume, image });
        found.set(key, place);
      } catch (thrown) {
        const { message, guidance } = asCephbackupError(thrown);
        lost.push(failed(`${volume.namespace}/${volume.pvc}: ${message}`, guidance));
      }
    }
    const all = [...found.values()];
    await Promise.all(
      all.map(async (place) => {
        place.listed = await imagesIn(place, signal);
      }),
    );
    return { places: all, lost };
  });
}

async function imagesIn(place: Place, signal: AbortSignal): Promise<Set<string> | Finding> {
  const { rbd, user, pool, namespace } = place;
  try {
    return new Set(await rbd.places.names({ pool, namespace }, { signal, deadlineMs: cephDeadlineMs }));
  } catch (thrown) {
    const error = asCephbackupError(thrown);
    const where = formatPlace(place);
    if (error.code === 'IMAGE_NOT_FOUND')
      return failed(
        `there is no pool or RADOS namespace ${where}, which ${count(place.volumes)} in`,
        `compare with \`ceph osd lspools\` and \`rbd namespace ls ${pool}\`; --ceph-clusters names other clusters`,
      );
    if (error.code === 'CEPH_FORBIDDEN') return failed(`client.${user} may not read ${where}`, grant(place));
    throw thrown;
  }
}

function count(volumes: readonly LocatedVolume[]): string {
  return volumes.length === 1 ? '1 image is' : `${volumes.length} images are`;
}

function grant({ user, pool, namespace }: Place): string {
  const where = namespace === null ? `pool=${pool}` : `pool=${pool} namespace=${namespace}`;
  return `ceph auth caps client.${user} mon "profile rbd" osd "profile rbd ${where}" (all pools in one command: it replaces what there was)`;
}

/** The pools exist, and in them the images that PersistentVolumes name. */
export const cephImages: Check = {
  name: 'ceph-images',
  run: async (setup) => {
    const { places: found, lost } = await places(setup);
    const findings = found.flatMap((place): Finding[] => {
      const { listed, volumes } = place;
      if (!(listed instanceof Set)) return [listed];
      const missing = volumes.filter(({ image }) => !listed.has(image.image));
      const here = ok(
        `${formatPlace(place)}: ${volumes.length - missing.length} of ${volumes.length} images are there`,
      );
      return [
        ...missing.map(({ volume, image }) =>
          failed(
            `${volume.namespace}/${volume.pvc}: there is no image ${formatImage(image)}`,
            `compare with \`rbd ls ${formatPlace(place)}\` and \`rbd trash ls ${formatPlace(place)}\``,
          ),
        ),
        here,
      ];
    });
    const all = [...lost, ...findings];
    return all.length === 0 ? ok('no volume needs it') : all;
  },
};

/** Images of a pool whose data pool is looked at. */
const sampled = 5;

/**
 * The user may make and remove snapshots and clones. Tried with names that nothing has: whoever may, is told that they
 * do not exist; whoever may not, is told that instead.
 */
export const cephCapabilities: Check = {
  name: 'ceph-capabilities',
  run: async (setup, signal) => {
    const readable = (await places(setup)).places.filter(({ listed }) => listed instanceof Set);
    if (readable.length === 0) return ok('no pool to try them in');
    const findings = await Promise.all(
      readable.map(async (place) => [await mayWrite(place, signal), ...(await mayReadData(place, signal))]),
    );
    return findings.flat();
  },
};

async function mayWrite(place: Place, signal: AbortSignal): Promise<Finding> {
  const { rbd, user, pool, namespace, volumes, listed } = place;
  const nobody = `cephbackup-doctor-${randomBytes(6).toString('hex')}`;
  const options = { signal, deadlineMs: cephDeadlineMs };
  const example = volumes.find(({ image }) => listed instanceof Set && listed.has(image.image));
  try {
    await rbd.removeImage({ pool, namespace, image: nobody }, options);
    if (example !== undefined) await rbd.snapshots.remove(example.image, nobody, options);
    return ok(`client.${user} may make snapshots and clones in ${formatPlace(place)}`);
  } catch (thrown) {
    const { code, message } = asCephbackupError(thrown);
    if (code !== 'CEPH_FORBIDDEN') throw thrown;
    return failed(
      `client.${user} may not make snapshots and clones in ${formatPlace(place)}: ${message}`,
      grant(place),
    );
  }
}

/** Images may have their data in another pool than their names. */
async function mayReadData(place: Place, signal: AbortSignal): Promise<Finding[]> {
  const { rbd, user, volumes, listed } = place;
  const options = { signal, deadlineMs: cephDeadlineMs };
  const existing = volumes
    .filter(({ image }) => listed instanceof Set && listed.has(image.image))
    .slice(0, sampled);
  const pools = await Promise.all(
    existing.map(async ({ image }) => {
      const info = await rbd.info(image, options);
      return typeof info.data_pool === 'string' ? [info.data_pool] : [];
    }),
  );
  const dataPools = [...new Set(pools.flat())];
  const denied = await Promise.all(
    dataPools.map(async (pool) => {
      // What a pool for data answers to a client that may read it is an error of its own.
      const error = await rbd.places
        .names({ pool, namespace: null }, options)
        .then(() => null, asCephbackupError);
      return error?.code === 'CEPH_FORBIDDEN' ? [pool] : [];
    }),
  );
  return denied
    .flat()
    .map((pool) =>
      failed(
        `client.${user} may not read the data pool ${pool} of images in ${formatPlace(place)}`,
        `ceph auth caps client.${user} … osd "…, profile rbd pool=${pool}"`,
      ),
    );
}
