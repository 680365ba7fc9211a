import { CephbackupError } from '../../errors/error.js';
import { cephError, connectionArguments, errno, type CephConnection } from '../ceph/connection.js';
import { expectReadableKey, kernelRefusesKey } from '../ceph/unreadable-key.js';
import type { CommandOptions, CommandResult, Exec } from '../process/exec.js';
import { isImageSpecName, type ImageSpec } from './image-spec.js';
import { steady } from '../../waiting/persist.js';
import { asObject, numberField, parseJson, parseJsonObjects, stringField } from '../process/json.js';

export type { ImageSpec };

export interface RbdSnapshot {
  id: number;
  name: string;
  /** The name before it went to the trash namespace; null for a snapshot that was not removed. */
  trashedFrom: string | null;
}

export interface ListedImage {
  image: string;
  /** Null for the image itself. */
  snapshot: string | null;
  parent: (ImageSpec & { snapshot: string }) | null;
}

export interface Watcher {
  address: string;
  client: number;
}

export interface MappedImage extends ImageSpec {
  /** E.g. `/dev/rbd0`. */
  device: string;
}

/** Milliseconds for a command that only moves metadata. */
const metadataDeadline = 120_000;
/** Milliseconds for an unmapping, which waits for the cluster where it does not answer. */
const unmapDeadline = 60_000;
/** In which a mapped device that is in use becomes free. */
const busyPatience = steady(15_000, 500);
/** Milliseconds for `rbd rm`, which deletes object by object; our clones hold little of their own. */
const removeDeadline = 600_000;

/**
 * A spec out of names that a PersistentVolume gives.
 * @throws CephbackupError SOURCE_NAME_INVALID
 */
export function imageSpec(pool: string, namespace: string | null, image: string): ImageSpec {
  for (const name of [pool, image, ...(namespace === null ? [] : [namespace])]) {
    if (!isImageSpecName(name)) {
      throw new CephbackupError(
        'SOURCE_NAME_INVALID',
        `not a name of a pool, namespace or image: ${JSON.stringify(name)}`,
      );
    }
  }
  return { pool, namespace, image };
}

/** `pool[/namespace]/image`, as rbd writes it. */
export function formatImage({ pool, namespace, image }: ImageSpec): string {
  return namespace === null ? `${pool}/${image}` : `${pool}/${namespace}/${image}`;
}

/** What flows while the command runs cannot flow twice. */
function repeatable({
  onStdout,
  onStdoutLine,
  output,
  input,
}: Partial<CommandOptions>): Partial<CommandOptions> {
  const flows = [onStdout, onStdoutLine, output, input].some((flow) => flow !== undefined);
  return flows ? {} : { patience: {} };
}

/** The `rbd` program with one connection. */
export class Rbd {
  constructor(
    private readonly exec: Exec,
    readonly connection: CephConnection,
  ) {}

  /** argv of `rbd` for programs that run it themselves. */
  argv(args: readonly string[]): string[] {
    return [...connectionArguments(this.connection), ...args];
  }

  async #run(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<CommandResult> {
    const result = await this.exec('rbd', this.argv(args), {
      deadline: metadataDeadline,
      ...repeatable(options),
      ...options,
    });
    return expectReadableKey(this.connection, result);
  }

  async #json(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<string> {
    const result = await this.#run([...args, '--format', 'json'], options);
    if (result.exitCode !== 0) throw cephError('COMMAND_FAILED', `rbd ${args.slice(0, 2).join(' ')}`, result);
    return result.stdout;
  }

  /**
   * @returns which attempt has made it, from 1: where a later one finds it there, it was the first
   * @throws CephbackupError SNAPSHOT_FAILED, IMAGE_NOT_FOUND, POOL_FULL, CEPH_UNREACHABLE …
   */
  async createSnapshot(
    image: ImageSpec,
    snapshot: string,
    options?: Partial<CommandOptions>,
  ): Promise<number> {
    const args = ['snap', 'create', '--no-progress', `${formatImage(image)}@${snapshot}`];
    const result = await this.#run(args, options);
    const { exitCode, attempts = 1 } = result;
    if (exitCode === 0) return attempts;
    // Names are unique: it can only be ours, made by a command that was taken for failed.
    if (exitCode === errno.EEXIST && attempts > 1) return 1;
    throw cephError('SNAPSHOT_FAILED', `snapshot of ${formatImage(image)}`, result);
  }

  /** Succeeds where the snapshot, or its image, does not exist. */
  async removeSnapshot(image: ImageSpec, snapshot: string, options?: Partial<CommandOptions>): Promise<void> {
    const result = await this.#run(
      ['snap', 'rm', '--no-progress', `${formatImage(image)}@${snapshot}`],
      options,
    );
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephError('COMMAND_FAILED', `removal of snapshot ${formatImage(image)}@${snapshot}`, result);
  }

  /** Removes a snapshot that lies in the trash namespace, where it has no name. */
  async removeTrashedSnapshot(
    image: ImageSpec,
    id: number,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    // `--no-progress` is refused together with `--snap-id`.
    const result = await this.#run(['snap', 'rm', '--snap-id', String(id), formatImage(image)], options);
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephError('COMMAND_FAILED', `removal of snapshot id ${id} of ${formatImage(image)}`, result);
  }

  /** @throws CephbackupError CLONE_FAILED … */
  async clone(
    parent: ImageSpec,
    snapshot: string,
    child: ImageSpec,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const args = ['clone', '--rbd-default-clone-format', '2', '--image-feature', 'layering,exclusive-lock'];
    const specs = [`${formatImage(parent)}@${snapshot}`, formatImage(child)];
    const result = await this.#run([...args, ...specs], options);
    if (result.exitCode === 0) return;
    if (result.exitCode === errno.EEXIST && (result.attempts ?? 1) > 1) {
      // Made by a command that was taken for failed. Half of it has no parent, and would read as zeros.
      const made = parentOf((await this.info(child, options)).parent);
      if (made?.image === parent.image && made.snapshot === snapshot) return;
      await this.removeImage(child, options);
      return this.clone(parent, snapshot, child, options);
    }
    throw cephError('CLONE_FAILED', `clone of ${formatImage(parent)}@${snapshot}`, result);
  }

  /** Succeeds where the image does not exist. */
  async removeImage(image: ImageSpec, options?: Partial<CommandOptions>): Promise<void> {
    const result = await this.#run(['rm', '--no-progress', formatImage(image)], {
      deadline: removeDeadline,
      ...options,
    });
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephError('COMMAND_FAILED', `removal of ${formatImage(image)}`, result);
  }

  /** `rbd info`, as it is. @throws CephbackupError IMAGE_NOT_FOUND … */
  async info(image: ImageSpec, options?: Partial<CommandOptions>): Promise<Record<string, unknown>> {
    return asObject(
      parseJson(await this.#json(['info', formatImage(image)], options), 'rbd info'),
      'rbd info',
    );
  }

  /** `rbd info` of a snapshot: its own size and flags. @throws CephbackupError IMAGE_NOT_FOUND … */
  async snapshotInfo(
    image: ImageSpec,
    snapshot: string,
    options?: Partial<CommandOptions>,
  ): Promise<Record<string, unknown>> {
    const text = await this.#json(['info', `${formatImage(image)}@${snapshot}`], options);
    return asObject(parseJson(text, 'rbd info'), 'rbd info');
  }

  /** What a snapshot contains, as JSON that goes to `onStdout` as it comes. @throws CephbackupError IMAGE_NOT_FOUND … */
  async diff(
    image: ImageSpec,
    snapshot: string,
    wholeObject: boolean,
    options: Partial<CommandOptions> & Required<Pick<CommandOptions, 'onStdout' | 'deadline'>>,
  ): Promise<void> {
    await this.#json(
      ['diff', ...(wholeObject ? ['--whole-object'] : []), `${formatImage(image)}@${snapshot}`],
      options,
    );
  }

  /** argv of an `rbd export-diff` of all that a snapshot contains, to stdout. */
  exportArgv(image: ImageSpec, snapshot: string, wholeObject: boolean): string[] {
    const mode = wholeObject ? ['--whole-object'] : [];
    return this.argv(['export-diff', '--no-progress', ...mode, `${formatImage(image)}@${snapshot}`, '-']);
  }

  /** argv of the list of an image's snapshots as JSON, without those that were removed. */
  snapshotListArgv(image: ImageSpec): string[] {
    return this.argv(['snap', 'ls', '--format', 'json', formatImage(image)]);
  }

  /** Key-value metadata; may hold the wrapped key of an encrypted volume. */
  async metadata(image: ImageSpec, options?: Partial<CommandOptions>): Promise<Record<string, string>> {
    const text = await this.#json(['image-meta', 'list', formatImage(image)], options);
    // An image without metadata prints nothing at all.
    if (text.trim() === '') return {};
    const entries = Object.entries(asObject(parseJson(text, 'rbd image-meta list'), 'rbd image-meta list'));
    return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]));
  }

  /** All snapshots of an image, those in the trash namespace included. `imageId` reaches an image in the trash. */
  async snapshots(
    image: ImageSpec | { pool: string; namespace: string | null; imageId: string },
    options?: Partial<CommandOptions>,
  ): Promise<RbdSnapshot[]> {
    const which =
      'image' in image
        ? [formatImage(image)]
        : [
            '--pool',
            image.pool,
            ...(image.namespace === null ? [] : ['--namespace', image.namespace]),
            '--image-id',
            image.imageId,
          ];
    const text = await this.#json(['snap', 'ls', '--all', ...which], options);
    return parseJsonObjects(text, 'rbd snap ls').map((snapshot) => {
      const where = (snapshot.namespace ?? {}) as Record<string, unknown>;
      // Ceph writes this key with a space or with an underscore, by release.
      const trashedFrom = where.original_name ?? where['original name'];
      return {
        id: numberField(snapshot, 'id', 'rbd snap ls'),
        name: stringField(snapshot, 'name', 'rbd snap ls'),
        trashedFrom: typeof trashedFrom === 'string' ? trashedFrom : null,
      };
    });
  }

  /** Images of a pool or RADOS namespace with their snapshots, in one call. Images that vanish meanwhile are left out. */
  async list(
    pool: string,
    namespace: string | null,
    options?: Partial<CommandOptions>,
  ): Promise<ListedImage[]> {
    const where = namespace === null ? pool : `${pool}/${namespace}`;
    const result = await this.#run(['ls', '--long', '--format', 'json', where], options);
    // An image that is removed while it is listed makes rbd exit 2 after it printed all others.
    if (result.exitCode !== 0 && !(result.exitCode === errno.ENOENT && result.stdout.trim() !== '')) {
      throw cephError('COMMAND_FAILED', `rbd ls ${where}`, result);
    }
    return parseJsonObjects(result.stdout, 'rbd ls').map((entry) => ({
      image: stringField(entry, 'image', 'rbd ls'),
      snapshot: typeof entry.snapshot === 'string' ? entry.snapshot : null,
      parent: parentOf(entry.parent),
    }));
  }

  /** Names of the images of a pool or RADOS namespace. @throws CephbackupError IMAGE_NOT_FOUND (no such place) … */
  async names(pool: string, namespace: string | null, options?: Partial<CommandOptions>): Promise<string[]> {
    const where = namespace === null ? pool : `${pool}/${namespace}`;
    const names = parseJson(await this.#json(['ls', where], options), 'rbd ls');
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  }

  /** Whether the image is in the trash as the source of a migration, where nobody finds it by its name. */
  async isMigrationSource(
    { pool, namespace, image }: ImageSpec,
    options?: Partial<CommandOptions>,
  ): Promise<boolean> {
    const where = namespace === null ? pool : `${pool}/${namespace}`;
    const text = await this.#json(['trash', 'ls', '--all', '--long', where], options);
    return parseJsonObjects(text, 'rbd trash ls').some(
      ({ name, source }) => name === image && source === 'MIGRATION',
    );
  }

  /** Images in the trash of a pool or RADOS namespace. */
  async trash(
    pool: string,
    namespace: string | null,
    options?: Partial<CommandOptions>,
  ): Promise<{ id: string; name: string }[]> {
    const where = namespace === null ? pool : `${pool}/${namespace}`;
    return parseJsonObjects(await this.#json(['trash', 'ls', where], options), 'rbd trash ls').map(
      (entry) => ({
        id: stringField(entry, 'id', 'rbd trash ls'),
        name: stringField(entry, 'name', 'rbd trash ls'),
      }),
    );
  }

  /** Removes a snapshot of an image in the trash; succeeds where it does not exist. */
  async removeSnapshotOfTrashed(
    pool: string,
    namespace: string | null,
    imageId: string,
    snapshot: string,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const where = ['--pool', pool, ...(namespace === null ? [] : ['--namespace', namespace])];
    const args = ['snap', 'rm', '--no-progress', ...where, '--image-id', imageId, '--snap', snapshot];
    const result = await this.#run(args, options);
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephError('COMMAND_FAILED', `removal of snapshot ${snapshot} of trashed image ${imageId}`, result);
  }

  async watchers(image: ImageSpec, options?: Partial<CommandOptions>): Promise<Watcher[]> {
    const status = asObject(
      parseJson(await this.#json(['status', formatImage(image)], options), 'rbd status'),
      'rbd status',
    );
    const watchers = Array.isArray(status.watchers) ? status.watchers : Object.values(status.watchers ?? {});
    return watchers.map((watcher) => {
      const object = asObject(watcher, 'rbd status');
      return {
        address: stringField(object, 'address', 'rbd status'),
        client: numberField(object, 'client', 'rbd status'),
      };
    });
  }

  /** What this node maps through the kernel. Mappings are host-global: those of other programs are listed too. */
  async mapped(options?: Partial<CommandOptions>): Promise<MappedImage[]> {
    const text = await this.#json(['device', 'list'], options);
    // Nothing mapped is an empty text for some versions, and an object by id for old ones.
    if (text.trim() === '') return [];
    const value = parseJson(text, 'rbd device list');
    const entries = Array.isArray(value) ? value : Object.values(asObject(value, 'rbd device list'));
    return entries.map((entry) => {
      const object = asObject(entry, 'rbd device list');
      const namespace = object.namespace;
      return {
        pool: stringField(object, 'pool', 'rbd device list'),
        namespace: typeof namespace === 'string' && namespace !== '' ? namespace : null,
        image: stringField(object, 'name', 'rbd device list'),
        device: stringField(object, 'device', 'rbd device list'),
      };
    });
  }

  /** Maps an image through the kernel and returns its device. @throws CephbackupError MAP_FAILED … */
  async map(image: ImageSpec, options?: Partial<CommandOptions>): Promise<string> {
    const result = await this.#run(['device', 'map', '-o', 'noudev', formatImage(image)], options);
    const device = result.stdout.trim();
    if (result.exitCode === 0 && device.startsWith('/dev/')) return device;
    const withoutFile = mappedWithoutFile.exec(result.stderr)?.[1];
    if (withoutFile !== undefined) return withoutFile;
    // What it knows better than its last line, it says on stdout.
    const said = `${result.stdout}\n${result.stderr}`;
    const reason = refusals.find(([message]) => message.test(said))?.[1];
    if (reason !== undefined)
      throw new CephbackupError('MAP_FAILED', `mapping of ${formatImage(image)}: ${reason}`);
    const refusal = kernelRefusesKey(this.connection, result.stderr);
    if (refusal !== null) {
      const message = `mapping of ${formatImage(image)}: ${refusal.message}`;
      throw new CephbackupError('MAP_FAILED', message, { guidance: refusal.guidance });
    }
    throw cephError('MAP_FAILED', `mapping of ${formatImage(image)}`, result);
  }

  /**
   * Unmaps an image that this node maps, by its name: a container may have no file for the device. What holds the device
   * for a moment only (udev reads each new one) is waited for.
   */
  async unmap(image: ImageSpec, options?: Partial<CommandOptions>): Promise<void> {
    // Without noudev the unmapping, too, waits for a udev that a container does not have.
    const args = ['device', 'unmap', '-o', 'noudev', formatImage(image)];
    const result = await this.#run(args, { deadline: unmapDeadline, patience: busyPatience, ...options });
    if (result.exitCode !== 0)
      throw cephError('COMMAND_FAILED', `unmapping of ${formatImage(image)}`, result);
  }
}

/** rbd exits 22 where a container's /dev has no file for the device, which is mapped all the same [src/krbd.cc]. */
const mappedWithoutFile = /mapping succeeded but (\/dev\/\S+) is not accessible/;

/** What `rbd device map` says before its last line, which then holds a bare errno [src/krbd.cc, src/tools/rbd/action/Kernel.cc]. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [
    /feature set mismatch/i,
    'this kernel does not support a feature of the image, or of one that it was cloned from (dmesg names it)',
  ],
  [/failed to load rbd kernel module|modprobe/i, 'this kernel has no module rbd'],
];

function parentOf(value: unknown): ListedImage['parent'] {
  if (typeof value !== 'object' || value === null) return null;
  const { pool, pool_namespace: space, image, snapshot } = value as Record<string, unknown>;
  if (typeof pool !== 'string' || typeof image !== 'string' || typeof snapshot !== 'string') return null;
  return { pool, namespace: typeof space === 'string' && space !== '' ? space : null, image, snapshot };
}
