import { CephbackupError } from '../../errors/error.js';
import { cephError, connectionArguments, errno, type CephConnection } from '../ceph/connection.js';
import { expectReadableKey } from '../ceph/unreadable-key.js';
import type { CommandOptions, CommandResult, Exec } from '../process/exec.js';
import { formatImage, formatPlace, placeArguments, type ImagePlace, type ImageSpec } from './image-spec.js';
import { RbdMapping } from './mapping.js';
import { asObject, numberField, parseJson, parseJsonObjects, stringField } from '../process/json.js';
import { queryDeadlineMs, unlimitedMs } from '../../waiting/deadline.js';

export { formatImage, imageSpec } from './image-spec.js';
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
  parent: ParentSnapshot | null;
}

export interface ParentSnapshot extends ImageSpec {
  snapshot: string;
  /** Of the image: finds it in the trash, too. Null where it was not told. */
  id: string | null;
}

export interface Watcher {
  address: string;
  client: number;
}

/** `rbd rm` says each percent of the objects that it has gone through. */
const removalSilenceMs = 600_000;
/** What an image takes on, of many, in the list of a pool that is read from a slow disk. */
const listedImageMs = 200;
/** Of `rbd clone`: the layout, or the size, cannot have a feature. */
const invalidArgument = 22;

/** An image by its id: reaches one in the trash as well, and one that was renamed. */
export interface ImageById extends ImagePlace {
  imageId: string;
}

function addressOf(image: ImageSpec | ImageById): string[] {
  return 'imageId' in image ? [...placeArguments(image), '--image-id', image.imageId] : [formatImage(image)];
}

export interface TrashedImage {
  id: string;
  /** The name before it went to the trash. */
  name: string;
}

export interface CloneOptions {
  features: readonly string[];
  /** Where its data go; null: where the image is. */
  dataPool: string | null;
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

/** Features that count objects: without them `rbd rm` asks for each object that could exist. */
const mapFeatures: ReadonlySet<string> = new Set(['object-map', 'fast-diff']);

/** The `rbd` program with one connection. */
export class Rbd {
  /** What this node maps through its kernel. */
  readonly mapping: RbdMapping;

  constructor(
    private readonly exec: Exec,
    readonly connection: CephConnection,
  ) {
    this.mapping = new RbdMapping((args, options) => this.#run(args, options), connection);
  }

  /** argv of `rbd` for programs that run it themselves. */
  argv(args: readonly string[]): string[] {
    return [...connectionArguments(this.connection), ...args];
  }

  async #run(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<CommandResult> {
    const result = await this.exec('rbd', this.argv(args), {
      deadlineMs: queryDeadlineMs,
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

  /** Returns whether there was one: succeeds where the snapshot, or its image, does not exist. */
  async removeSnapshot(
    image: ImageSpec,
    snapshot: string,
    options?: Partial<CommandOptions>,
  ): Promise<boolean> {
    const result = await this.#run(
      ['snap', 'rm', '--no-progress', `${formatImage(image)}@${snapshot}`],
      options,
    );
    if (result.exitCode === 0) return true;
    if (result.exitCode === errno.ENOENT) return false;
    throw cephError('COMMAND_FAILED', `removal of snapshot ${formatImage(image)}@${snapshot}`, result);
  }

  /** @throws CephbackupError */
  async renameSnapshot(
    image: ImageSpec,
    from: string,
    to: string,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const spec = formatImage(image);
    const result = await this.#run(['snap', 'rename', `${spec}@${from}`, `${spec}@${to}`], options);
    if (result.exitCode !== 0)
      throw cephError('COMMAND_FAILED', `renaming of snapshot ${spec}@${from}`, result);
  }

  /** What `rbd --version` prints. */
  async version(options?: Partial<CommandOptions>): Promise<string> {
    const { stdout } = await this.exec('rbd', ['--version'], { deadlineMs: queryDeadlineMs, ...options });
    return stdout.trim();
  }

  /** Removes a snapshot that lies in the trash namespace, where it has no name. */
  async removeTrashedSnapshot(
    image: ImageSpec | ImageById,
    id: number,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const address = addressOf(image);
    // `--no-progress` is refused together with `--snap-id`.
    const result = await this.#run(['snap', 'rm', '--snap-id', String(id), ...address], options);
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephError('COMMAND_FAILED', `removal of snapshot id ${id} of ${address.join(' ')}`, result);
  }

  /** Without the features that count objects where the image has too many of them. @throws CephbackupError CLONE_FAILED … */
  async clone(
    parent: ImageSpec,
    snapshot: string,
    child: ImageSpec,
    { features, dataPool }: CloneOptions,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const place = dataPool === null ? [] : ['--data-pool', dataPool];
    const clone = (wanted: readonly string[]) =>
      this.#run(
        [
          ...['clone', '--rbd-default-clone-format', '2', '--image-feature', wanted.join(','), ...place],
          ...[`${formatImage(parent)}@${snapshot}`, formatImage(child)],
        ],
        options,
      );
    const fewer = features.filter((feature) => !mapFeatures.has(feature));
    let result = await clone(features);
    if (result.exitCode === invalidArgument && fewer.length < features.length) result = await clone(fewer);
    if (result.exitCode === 0) return;
    if (result.exitCode === errno.EEXIST && (result.attempts ?? 1) > 1) {
      // Made by a command that was taken for failed. Half of it has no parent, and would read as zeros.
      const made = await this.parent(child, options);
      if (made?.image === parent.image && made.snapshot === snapshot) return;
      await this.removeImage(child, options);
      return this.clone(parent, snapshot, child, { features, dataPool }, options);
    }
    throw cephError('CLONE_FAILED', `clone of ${formatImage(parent)}@${snapshot}`, result);
  }

  /**
   * Removes an image, also one that a killed removal has left without a name, and never into the trash, as
   * `rbd_move_to_trash_on_remove` would have it. Succeeds where the image does not exist.
   */
  async removeImage(image: ImageSpec, options?: Partial<CommandOptions>): Promise<void> {
    const result = await this.#run(['rm', '--rbd-move-to-trash-on-remove=false', formatImage(image)], {
      deadlineMs: unlimitedMs,
      silenceMs: removalSilenceMs,
      ...options,
    });
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephError('COMMAND_FAILED', `removal of ${formatImage(image)}`, result);
  }

  /** Succeeds where it does not exist. */
  async removeTrashedImage(
    { pool, namespace, imageId }: ImageById,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const spec = formatImage({ pool, namespace, image: imageId });
    const result = await this.#run(['trash', 'rm', '--force', spec], {
      deadlineMs: unlimitedMs,
      silenceMs: removalSilenceMs,
      ...options,
    });
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephError('COMMAND_FAILED', `removal of the trashed image ${spec}`, result);
  }

  /** `rbd info`, as it is. @throws CephbackupError IMAGE_NOT_FOUND … */
  async info(
    image: ImageSpec | ImageById,
    options?: Partial<CommandOptions>,
  ): Promise<Record<string, unknown>> {
    const text = await this.#json(['info', ...addressOf(image)], options);
    return asObject(parseJson(text, 'rbd info'), 'rbd info');
  }

  /** The snapshot that an image is a clone of. */
  async parent(
    image: ImageSpec | ImageById,
    options?: Partial<CommandOptions>,
  ): Promise<ParentSnapshot | null> {
    return parentOf((await this.info(image, options)).parent);
  }

  /** Whether no object of an image exists, snapshots left out. @throws CephbackupError also where it holds very much */
  async isEmpty(image: ImageSpec | ImageById, options?: Partial<CommandOptions>): Promise<boolean> {
    const text = await this.#json(['diff', '--whole-object', ...addressOf(image)], options);
    return parseJsonObjects(text, 'rbd diff').length === 0;
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
    {
      base,
      ...options
    }: Partial<CommandOptions> &
      Required<Pick<CommandOptions, 'onStdout' | 'deadlineMs'>> & { base?: string },
  ): Promise<void> {
    await this.#json(
      [
        'diff',
        ...(wholeObject ? ['--whole-object'] : []),
        ...(base === undefined ? [] : ['--from-snap', base]),
        `${formatImage(image)}@${snapshot}`,
      ],
      options,
    );
  }

  /** argv of an `rbd export-diff` of all that a snapshot contains, to stdout. */
  exportArgv(image: ImageSpec, snapshot: string, wholeObject: boolean): string[] {
    const mode = wholeObject ? ['--whole-object'] : [];
    return this.argv(['export-diff', '--no-progress', ...mode, `${formatImage(image)}@${snapshot}`, '-']);
  }

  /** argv of the list of an image's snapshots as JSON, without those that were removed. */
  snapshotListArgv(image: ImageSpec | ImageById): string[] {
    return this.argv(['snap', 'ls', '--format', 'json', ...addressOf(image)]);
  }

  /** Key-value metadata; may hold the wrapped key of an encrypted volume. */
  async metadata(image: ImageSpec, options?: Partial<CommandOptions>): Promise<Record<string, string>> {
    const text = await this.#json(['image-meta', 'list', formatImage(image)], options);
    // An image without metadata prints nothing at all.
    if (text.trim() === '') return {};
    const entries = Object.entries(asObject(parseJson(text, 'rbd image-meta list'), 'rbd image-meta list'));
    return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]));
  }

  /** All snapshots of an image, those in the trash namespace included. */
  async snapshots(image: ImageSpec | ImageById, options?: Partial<CommandOptions>): Promise<RbdSnapshot[]> {
    const text = await this.#json(['snap', 'ls', '--all', ...addressOf(image)], options);
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

  /**
   * Images of a pool or RADOS namespace with their snapshots, in one call. What cannot be opened is left out without an
   * error: compare with `names`.
   *
   * @param expected how many images there are, about
   */
  async list(place: ImagePlace, expected: number, options?: Partial<CommandOptions>): Promise<ListedImage[]> {
    const where = formatPlace(place);
    const deadlineMs = queryDeadlineMs + expected * listedImageMs;
    const result = await this.#run(['ls', '--long', '--format', 'json', where], {
      deadlineMs,
      ...options,
    });
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

  /**
   * Names of the images of a pool or RADOS namespace, those included of which a killed removal has left a part.
   * @throws CephbackupError IMAGE_NOT_FOUND (no such place), COMMAND_OUTPUT_INVALID …
   */
  async names(place: ImagePlace, options?: Partial<CommandOptions>): Promise<string[]> {
    const names = parseJson(await this.#json(['ls', formatPlace(place)], options), 'rbd ls');
    if (Array.isArray(names)) return names.filter((name) => typeof name === 'string');
    throw new CephbackupError('COMMAND_OUTPUT_INVALID', 'rbd ls: no JSON array where it was expected');
  }

  /** Whether the image is in the trash as the source of a migration, where nobody finds it by its name. */
  async isMigrationSource(image: ImageSpec, options?: Partial<CommandOptions>): Promise<boolean> {
    const text = await this.#json(['trash', 'ls', '--all', '--long', formatPlace(image)], options);
    return parseJsonObjects(text, 'rbd trash ls').some(
      ({ name, source }) => name === image.image && source === 'MIGRATION',
    );
  }

  /** Images that somebody put into the trash of a pool or RADOS namespace. */
  async trash(place: ImagePlace, options?: Partial<CommandOptions>): Promise<TrashedImage[]> {
    const text = await this.#json(['trash', 'ls', formatPlace(place)], options);
    return parseJsonObjects(text, 'rbd trash ls').map((entry) => ({
      id: stringField(entry, 'id', 'rbd trash ls'),
      name: stringField(entry, 'name', 'rbd trash ls'),
    }));
  }

  /** Removes a snapshot of an image in the trash; succeeds where it does not exist. */
  async removeSnapshotOfTrashed(
    image: ImageById,
    snapshot: string,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const args = ['snap', 'rm', '--no-progress', ...addressOf(image), '--snap', snapshot];
    const result = await this.#run(args, options);
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    const what = `removal of snapshot ${snapshot} of trashed image ${image.imageId}`;
    throw cephError('COMMAND_FAILED', what, result);
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
}

function parentOf(value: unknown): ParentSnapshot | null {
  if (typeof value !== 'object' || value === null) return null;
  const { pool, pool_namespace: space, image, snapshot, id } = value as Record<string, unknown>;
  if (typeof pool !== 'string' || typeof image !== 'string' || typeof snapshot !== 'string') return null;
  return {
    pool,
    namespace: typeof space === 'string' && space !== '' ? space : null,
    image,
    snapshot,
    id: typeof id === 'string' ? id : null,
  };
}
