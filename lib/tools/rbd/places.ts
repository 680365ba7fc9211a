import { CephbackupError } from '../../errors/error.js';
import { cephError, errno } from '../ceph/connection.js';
import type { CommandOptions } from '../process/exec.js';
import { parseJson, parseJsonObjects, stringField } from '../process/json.js';
import type { RbdCommand } from './command.js';
import { formatPlace, type ImagePlace, type ImageSpec } from './image-spec.js';
import { parentOf, type ParentSnapshot } from './parent.js';
import { queryDeadlineMs } from '../../waiting/deadline.js';

/** What an image takes on, of many, in the list of a pool that is read from a slow disk. */
const listedImageMs = 200;
export interface ListedImage {
  image: string;
  /** Null for the image itself. */
  snapshot: string | null;
  parent: ParentSnapshot | null;
}

export interface TrashedImage {
  id: string;
  /** The name before it went to the trash. */
  name: string;
}

/** What a pool or RADOS namespace holds. */
export class RbdPlaces {
  constructor(private readonly rbd: RbdCommand) {}

  /**
   * Images of a pool or RADOS namespace with their snapshots, in one call. What cannot be opened is left out without an
   * error: compare with `names`.
   *
   * @param expected how many images there are, about
   */
  async images(
    place: ImagePlace,
    expected: number,
    options?: Partial<CommandOptions>,
  ): Promise<ListedImage[]> {
    const where = formatPlace(place);
    const deadlineMs = queryDeadlineMs + expected * listedImageMs;
    const result = await this.rbd.run(['ls', '--long', '--format', 'json', where], {
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
    const names = parseJson(await this.rbd.json(['ls', formatPlace(place)], options), 'rbd ls');
    if (Array.isArray(names)) return names.filter((name) => typeof name === 'string');
    throw new CephbackupError('COMMAND_OUTPUT_INVALID', 'rbd ls: no JSON array where it was expected');
  }

  /** Images that somebody put into the trash of a pool or RADOS namespace. */
  async trash(place: ImagePlace, options?: Partial<CommandOptions>): Promise<TrashedImage[]> {
    const text = await this.rbd.json(['trash', 'ls', formatPlace(place)], options);
    return parseJsonObjects(text, 'rbd trash ls').map((entry) => ({
      id: stringField(entry, 'id', 'rbd trash ls'),
      name: stringField(entry, 'name', 'rbd trash ls'),
    }));
  }

  /** Whether the image is in the trash as the source of a migration, where nobody finds it by its name. */
  async isMigrationSource(image: ImageSpec, options?: Partial<CommandOptions>): Promise<boolean> {
    const text = await this.rbd.json(['trash', 'ls', '--all', '--long', formatPlace(image)], options);
    return parseJsonObjects(text, 'rbd trash ls').some(
      ({ name, source }) => name === image.image && source === 'MIGRATION',
    );
  }
}
