import { CephbackupError } from '../../errors/error.js';
import { cephError, errno } from '../ceph/connection.js';
import type { CommandOptions } from '../process/exec.js';
import { asObject, numberField, parseJson, parseJsonObjects, stringField } from '../process/json.js';
import type { RbdCommand } from './command.js';
import { addressOf, formatImage, type ImageById, type ImageSpec } from './image-spec.js';

export interface RbdSnapshot {
  id: number;
  name: string;
  /** The name before it went to the trash namespace; null for a snapshot that was not removed. */
  trashedFrom: string | null;
}

const limitGuidance =
  'Remove old snapshots of the image (`rbd snap ls IMAGE`), or raise its limit: `rbd snap limit set IMAGE --limit N`, `rbd snap limit clear IMAGE`.';
const lockGuidance =
  'See who it is with `rbd lock ls IMAGE` and `rbd status IMAGE`: an image that is mapped with the option `exclusive` (mapOptions of the StorageClass), or locked by hand, takes no snapshot of anybody else; map it without, or remove the lock.';

/** The snapshots of images. */
export class RbdSnapshots {
  constructor(private readonly rbd: RbdCommand) {}

  /**
   * @returns which attempt has made it, from 1: where a later one finds it there, it was the first
   * @throws CephbackupError SNAPSHOT_FAILED, IMAGE_NOT_FOUND, POOL_FULL, CEPH_UNREACHABLE …
   */
  async create(image: ImageSpec, snapshot: string, options?: Partial<CommandOptions>): Promise<number> {
    const args = ['snap', 'create', '--no-progress', `${formatImage(image)}@${snapshot}`];
    const result = await this.rbd.change(args, options);
    const { exitCode, attempts = 1 } = result;
    if (exitCode === 0) return attempts;
    // Names are unique: it can only be ours, made by a command that was taken for failed.
    if (exitCode === errno.EEXIST && attempts > 1) return 1;
    const error = cephError('SNAPSHOT_FAILED', `snapshot of ${formatImage(image)}`, result);
    throw exitCode === errno.EDQUOT || exitCode === errno.EROFS
      ? await this.#byState(image, error, exitCode, options)
      : error;
  }

  /**
   * By the exit code alone nobody can tell an image's own limit of snapshots from a quota of the pool, nor one that somebody
   * holds for himself from the copy of a mirrored one.
   */
  async #byState(
    image: ImageSpec,
    error: CephbackupError,
    exitCode: number,
    options?: Partial<CommandOptions>,
  ): Promise<CephbackupError> {
    const text = await this.rbd.json(['info', formatImage(image)], options).catch(() => '{}');
    const { snapshot_limit: limit, mirroring } = asObject(parseJson(text, 'rbd info'), 'rbd info');
    if (exitCode === errno.EDQUOT) {
      if (typeof limit !== 'number') return error;
      const message = `${error.message}: the image has a limit of ${limit} snapshots`;
      return new CephbackupError('SNAPSHOT_LIMIT', message, { guidance: limitGuidance, cause: error });
    }
    // Some releases tell truth in words.
    if (mirroring !== undefined && String(asObject(mirroring, 'rbd info').primary) !== 'true') return error;
    const message = `${error.message}: somebody holds its exclusive lock, and does not give it away`;
    return new CephbackupError('SNAPSHOT_FAILED', message, { guidance: lockGuidance, cause: error });
  }

  /** Returns whether there was one: succeeds where the snapshot, or its image, does not exist. */
  async remove(image: ImageSpec, snapshot: string, options?: Partial<CommandOptions>): Promise<boolean> {
    const result = await this.rbd.change(
      ['snap', 'rm', '--no-progress', `${formatImage(image)}@${snapshot}`],
      options,
    );
    if (result.exitCode === 0) return true;
    if (result.exitCode === errno.ENOENT) return false;
    throw cephError('COMMAND_FAILED', `removal of snapshot ${formatImage(image)}@${snapshot}`, result);
  }

  /** @throws CephbackupError */
  async rename(image: ImageSpec, from: string, to: string, options?: Partial<CommandOptions>): Promise<void> {
    const spec = formatImage(image);
    const result = await this.rbd.change(['snap', 'rename', `${spec}@${from}`, `${spec}@${to}`], options);
    if (result.exitCode !== 0)
      throw cephError('COMMAND_FAILED', `renaming of snapshot ${spec}@${from}`, result);
  }

  /** Removes a snapshot that lies in the trash namespace, where it has no name. */
  async removeTrashed(
    image: ImageSpec | ImageById,
    id: number,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const address = addressOf(image);
    // `--no-progress` is refused together with `--snap-id`.
    const result = await this.rbd.change(['snap', 'rm', '--snap-id', String(id), ...address], options);
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephError('COMMAND_FAILED', `removal of snapshot id ${id} of ${address.join(' ')}`, result);
  }

  /** Removes a snapshot of an image in the trash; succeeds where it does not exist. */
  async removeOfTrashed(
    image: ImageById,
    snapshot: string,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const args = ['snap', 'rm', '--no-progress', ...addressOf(image), '--snap', snapshot];
    const result = await this.rbd.change(args, options);
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    const what = `removal of snapshot ${snapshot} of trashed image ${image.imageId}`;
    throw cephError('COMMAND_FAILED', what, result);
  }

  /** All snapshots of an image, those in the trash namespace included. */
  async list(image: ImageSpec | ImageById, options?: Partial<CommandOptions>): Promise<RbdSnapshot[]> {
    const text = await this.rbd.json(['snap', 'ls', '--all', ...addressOf(image)], options);
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

  /** `rbd info` of a snapshot: its own size and flags. @throws CephbackupError IMAGE_NOT_FOUND … */
  async info(
    image: ImageSpec,
    snapshot: string,
    options?: Partial<CommandOptions>,
  ): Promise<Record<string, unknown>> {
    const text = await this.rbd.json(['info', `${formatImage(image)}@${snapshot}`], options);
    return asObject(parseJson(text, 'rbd info'), 'rbd info');
  }

  /** argv of the list of an image's snapshots as JSON, without those that were removed. */
  listArgv(image: ImageSpec | ImageById): string[] {
    return this.rbd.argv(['snap', 'ls', '--format', 'json', ...addressOf(image)]);
  }
}
