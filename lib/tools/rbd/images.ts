import { cephError, errno, type CephConnection } from '../ceph/connection.js';
import type { CommandOptions, Exec } from '../process/exec.js';
import { asObject, numberField, parseJson, parseJsonObjects, stringField } from '../process/json.js';
import { RbdCommand } from './command.js';
import { addressOf, formatImage, type ImageById, type ImageSpec } from './image-spec.js';
import { RbdMapping } from './mapping.js';
import { parentOf, type ParentSnapshot } from './parent.js';
import { RbdPlaces } from './places.js';
import { RbdSnapshots } from './snapshots.js';
import { queryDeadlineMs, unlimitedMs } from '../../waiting/deadline.js';

export interface Watcher {
  address: string;
  client: number;
}

/** `rbd rm` says each percent of the objects that it has gone through. */
const removalSilenceMs = 600_000;
/** Of `rbd clone`: the layout, or the size, cannot have a feature. */
const invalidArgument = 22;

export interface CloneOptions {
  features: readonly string[];
  /** Where its data go; null: where the image is. */
  dataPool: string | null;
}

/** Features that count objects: without them `rbd rm` asks for each object that could exist. */
const mapFeatures: ReadonlySet<string> = new Set(['object-map', 'fast-diff']);

/** The `rbd` program with one connection. */
export class Rbd {
  readonly snapshots: RbdSnapshots;
  readonly places: RbdPlaces;
  /** What this node maps through its kernel. */
  readonly mapping: RbdMapping;
  readonly #rbd: RbdCommand;
  #version: string | null = null;

  constructor(
    private readonly exec: Exec,
    readonly connection: CephConnection,
  ) {
    const command = new RbdCommand(exec, connection);
    this.#rbd = command;
    this.snapshots = new RbdSnapshots(command);
    this.places = new RbdPlaces(command);
    this.mapping = new RbdMapping(command);
  }

  /** argv of `rbd` for programs that run it themselves. */
  argv(args: readonly string[]): string[] {
    return this.#rbd.argv(args);
  }

  /** What `rbd --version` prints. */
  async version(options?: Partial<CommandOptions>): Promise<string> {
    if (this.#version !== null) return this.#version;
    const { stdout } = await this.exec('rbd', ['--version'], { deadlineMs: queryDeadlineMs, ...options });
    const version = stdout.trim();
    if (version !== '') this.#version = version;
    return version;
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
      this.#rbd.change(
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
    const result = await this.#rbd.change(['rm', '--rbd-move-to-trash-on-remove=false', formatImage(image)], {
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
    const result = await this.#rbd.change(['trash', 'rm', '--force', spec], {
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
    const text = await this.#rbd.json(['info', ...addressOf(image)], options);
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
    const text = await this.#rbd.json(['diff', '--whole-object', ...addressOf(image)], options);
    return parseJsonObjects(text, 'rbd diff').length === 0;
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
    await this.#rbd.json(
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
    return this.#rbd.argv([
      'export-diff',
      '--no-progress',
      ...mode,
      `${formatImage(image)}@${snapshot}`,
      '-',
    ]);
  }

  /** Key-value metadata; may hold the wrapped key of an encrypted volume. */
  async metadata(image: ImageSpec, options?: Partial<CommandOptions>): Promise<Record<string, string>> {
    const list = ['image-meta', 'list', formatImage(image)];
    const text = await this.#rbd.json(list, options);
    // Of an image without metadata it prints nothing at all: asked for words, it says so.
    if (text.trim() === '') {
      const { exitCode, stdout } = await this.#rbd.run(list, options);
      if (exitCode === 0 && /^There are 0 metadata/m.test(stdout)) return {};
    }
    const entries = Object.entries(asObject(parseJson(text, 'rbd image-meta list'), 'rbd image-meta list'));
    return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]));
  }

  async watchers(image: ImageSpec, options?: Partial<CommandOptions>): Promise<Watcher[]> {
    const status = asObject(
      parseJson(await this.#rbd.json(['status', formatImage(image)], options), 'rbd status'),
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
