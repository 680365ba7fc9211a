import { CephbackupError } from '../../errors/error.js';
import type { CommandOptions } from '../process/exec.js';
import { asObject, parseJson } from '../process/json.js';
import { repositoryError } from './errors.js';
import type { Restic } from './restic.js';
import { listIds } from './ids.js';

type Options = Partial<CommandOptions>;

/** A pack as the index names it (restic's design document, "Index"); only what this program uses. */
export interface IndexedPack {
  id: string;
  blobs: { id: string; type: string }[];
}

/** Ids of snapshots. */
export interface Found {
  containing: Set<string>;
  /** Those in which some directory cannot be read, so that not everything was looked at. */
  unreadable: Set<string>;
}

/** Files of the index that are read together. */
const atOnce = 4;

/**
 * The snapshots that contain one of these objects.
 *
 * @param ids full, or 8 digits
 * @param tags only snapshots that have all of these
 * @throws CephbackupError REPOSITORY_…, RESTIC_FAILED
 */
export async function snapshotsWith(
  restic: Restic,
  { object, ids, tags }: { object: 'blob' | 'tree'; ids: readonly string[]; tags: readonly string[] },
  options: Options,
): Promise<Found> {
  const found: Found = { containing: new Set(), unreadable: new Set() };
  let rest = '';
  const filter = tags.length === 0 ? [] : ['--tag', tags.join(',')];
  const args = ['find', '--json', `--${object}`, restic.retryLock, ...filter, '--', ...ids];
  const result = await restic.limited(args, {
    ...options,
    // Not JSON as a whole: restic prints what it cannot read in between. A match is named once for each file.
    onStdout: (chunk) => {
      const text = rest + chunk.toString('latin1');
      for (const [, how, id = ''] of text.matchAll(/("snapshot":"|belongs to snapshot )([0-9a-f]{64})/g)) {
        (how?.startsWith('"') ? found.containing : found.unreadable).add(id);
      }
      rest = text.slice(-100);
    },
  });
  if (result.exitCode !== 0) throw repositoryError('restic find', result, 'RESTIC_FAILED');
  // Where it finds nothing it prints an empty list.
  if (!rest.trimEnd().endsWith(']'))
    throw new CephbackupError('COMMAND_OUTPUT_INVALID', 'restic find: no end of a list');
  return found;
}

/**
 * The pack whose id begins with `prefix`, as the index names it: it need not exist. Null where none does.
 * @throws CephbackupError REPOSITORY_…, RESTIC_FAILED
 */
export async function indexedPack(
  restic: Restic,
  prefix: string,
  options: Options,
): Promise<IndexedPack | null> {
  const files = await listIds(restic, 'index', { patience: {}, ...options });
  for (let at = 0; at < files.length; at += atOnce) {
    const some = files.slice(at, at + atOnce).map((file) => readIndex(restic, file, options));
    const found = (await Promise.all(some)).flat().find(({ id }) => id.startsWith(prefix));
    if (found !== undefined) return found;
  }
  return null;
}

async function readIndex(restic: Restic, id: string, options: Options): Promise<IndexedPack[]> {
  const what = 'restic cat index';
  const result = await restic.limited(['cat', 'index', '--no-lock', '--quiet', id], {
    patience: {},
    ...options,
  });
  if (result.exitCode !== 0) throw repositoryError(what, result, 'RESTIC_FAILED');
  const { packs } = asObject(parseJson(result.stdout, what), what) as { packs?: IndexedPack[] };
  return packs ?? [];
}
