import { CephbackupError } from '../../errors/error.js';
import { cephError, errno, noConnection } from '../ceph/connection.js';
import type { CommandOptions, Exec } from '../process/exec.js';
import { asObject, numberField, parseJson, parseJsonObjects } from '../process/json.js';
import { formatImage, type ImageSpec } from './image-spec.js';
import type { Rbd } from './images.js';
import { finishingMs, queryDeadlineMs, unlimitedMs } from '../../waiting/deadline.js';

export interface NewImage {
  /** Null: Ceph's, or the pool's, default. */
  features: readonly string[] | null;
  /** Where its data go; null: where the image is. */
  dataPool: string | null;
}

const changing = { deadlineMs: queryDeadlineMs, finishMs: finishingMs, patience: {} };

/** What only a restore does with images: they are created and written. */
export class RbdWriter {
  constructor(
    private readonly exec: Exec,
    private readonly rbd: Rbd,
  ) {}

  /**
   * Creates an empty image.
   * @throws CephbackupError TARGET_EXISTS, POOL_FULL …
   */
  async create(
    image: ImageSpec,
    sizeBytes: number,
    { features, dataPool }: NewImage,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const chosen = [
      ...(features === null ? [] : ['--image-feature', features.join(',')]),
      ...(dataPool === null ? [] : ['--data-pool', dataPool]),
    ];
    const args = this.rbd.argv(['create', '--size', `${sizeBytes}B`, ...chosen, formatImage(image)]);
    const result = await this.exec('rbd', args, {
      ...changing,
      // Somebody has chosen the name: where an attempt may have made the image, the next could not tell whose it is.
      patience: { ifSaid: noConnection },
      ...options,
    });
    if (result.exitCode === 0) return;
    if (result.exitCode === errno.EEXIST) {
      throw new CephbackupError('TARGET_EXISTS', `the image ${formatImage(image)} exists`);
    }
    throw cephError('COMMAND_FAILED', `creation of image ${formatImage(image)}`, result);
  }

  /**
   * Writes a stream in the format of `rbd export-diff` into an image. What rbd reads from `-` it writes record by record;
   * of a file, which a pipe may be, it writes ten at a time [src/tools/rbd/action/Import.cc, ImportDiffContext].
   *
   * @throws CephbackupError RESTORE_FAILED, POOL_FULL …
   */
  async importDiff(
    image: ImageSpec,
    stream: AsyncIterable<Uint8Array>,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const args = this.rbd.argv(['import-diff', '--no-progress', '/dev/stdin', formatImage(image)]);
    const result = await this.exec('rbd', args, {
      deadlineMs: unlimitedMs,
      ...options,
      // It ends with the record that says so.
      inputStaysOpen: true,
      input: stream,
    });
    if (result.exitCode !== 0)
      throw cephError('RESTORE_FAILED', `rbd import-diff into ${formatImage(image)}`, result);
  }

  /** Reads an image as it is now, in the format of `rbd export-diff`. @throws CephbackupError COMMAND_FAILED … */
  async exportDiff(
    image: ImageSpec,
    consumer: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const args = this.rbd.argv(['export-diff', '--no-progress', formatImage(image), '-']);
    const result = await this.exec('rbd', args, { deadlineMs: unlimitedMs, ...options, output: consumer });
    if (result.exitCode !== 0)
      throw cephError('COMMAND_FAILED', `rbd export-diff of ${formatImage(image)}`, result);
  }

  /** What an image takes of its pool. Slow for a large image without the feature fast-diff. Bytes. */
  async usedBytes(image: ImageSpec, options?: Partial<CommandOptions>): Promise<number> {
    const args = this.rbd.argv(['du', '--format', 'json', formatImage(image)]);
    const result = await this.exec('rbd', args, { deadlineMs: 3_600_000, patience: {}, ...options });
    if (result.exitCode !== 0) throw cephError('COMMAND_FAILED', `rbd du ${formatImage(image)}`, result);
    const { images } = asObject(parseJson(result.stdout, 'rbd du'), 'rbd du');
    const entries = Array.isArray(images) ? images.map((entry) => asObject(entry, 'rbd du')) : [];
    // What takes nothing is formatted: it must have been counted.
    if (entries.length === 0)
      throw new CephbackupError('COMMAND_OUTPUT_INVALID', `rbd du: nothing of ${formatImage(image)}`);
    return entries.reduce((sum, entry) => sum + numberField(entry, 'used_size', 'rbd du'), 0);
  }

  async setMetadata(
    image: ImageSpec,
    key: string,
    value: string,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const args = this.rbd.argv(['image-meta', 'set', '--', formatImage(image), key, value]);
    const result = await this.exec('rbd', args, { ...changing, ...options });
    if (result.exitCode !== 0)
      throw cephError('COMMAND_FAILED', `metadata ${key} of ${formatImage(image)}`, result);
  }

  /** Succeeds where the image has no such metadata. */
  async removeMetadata(image: ImageSpec, key: string, options?: Partial<CommandOptions>): Promise<void> {
    const args = this.rbd.argv(['image-meta', 'remove', '--', formatImage(image), key]);
    const result = await this.exec('rbd', args, { ...changing, ...options });
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephError('COMMAND_FAILED', `metadata ${key} of ${formatImage(image)}`, result);
  }

  /** Ids of locks that somebody set on purpose; those of the feature exclusive-lock come and go with their client. */
  async locks(image: ImageSpec, options?: Partial<CommandOptions>): Promise<string[]> {
    const args = this.rbd.argv(['lock', 'ls', '--format', 'json', formatImage(image)]);
    const result = await this.exec('rbd', args, { deadlineMs: queryDeadlineMs, patience: {}, ...options });
    if (result.exitCode !== 0) throw cephError('COMMAND_FAILED', `locks of ${formatImage(image)}`, result);
    return parseJsonObjects(result.stdout, 'rbd lock ls').flatMap(({ id }) =>
      typeof id === 'string' && !id.startsWith('auto ') ? [id] : [],
    );
  }

  /** argv of a program that watches the image until its stdin ends. */
  watchArgv(image: ImageSpec): string[] {
    return this.rbd.argv(['watch', formatImage(image)]);
  }
}
