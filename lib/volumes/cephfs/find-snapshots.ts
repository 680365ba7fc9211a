import { CephbackupError } from '../../errors/error.js';
import type { NamespaceRef } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';
import { clientDirectory, type ClientTools } from './client.js';
import { isUuid } from './place.js';

export interface FoundSnapshot {
  /** The directory that has it, relative to the mount; empty for the mount itself. */
  directory: string;
  name: string;
  /**
   * Whether the directory is a subvolume, whose snapshots the manager removes. Asked to remove one of any other
   * directory, it would first make a subvolume of it.
   */
  managed: boolean;
}

/** In which the manager keeps what it knows of a subvolume; those of the first releases have none [pybind/mgr/volumes]. */
const metadataFile = '.meta';

/** What `find` found: how deep below which of its starting points, and its path from there. */
interface Entry {
  depth: number;
  start: string;
  path: string;
}

type Find = (places: readonly string[], args: readonly string[]) => Promise<Entry[]>;
const print = ['-printf', '%d\\0%H\\0%P\\0'];

const deadlineMs = 600_000;
/** Directories looked at by one command: far below the limit of its arguments. */
const batch = 500;

/**
 * Snapshots whose names begin as this program's do: of the mounted directory itself, or of each directory in it. Old
 * subvolumes (version 1) keep theirs one level deeper, beside their data.
 */
export async function findSnapshots(
  { exec, env }: ClientTools,
  namespace: NamespaceRef,
  of: 'itself' | 'children',
  signal: AbortSignal,
): Promise<FoundSnapshot[]> {
  const find: Find = async (places, args) => {
    const options = { namespace, signal, deadlineMs, env };
    const { exitCode, stdout, stderr } = await exec('find', [...places, ...args], options);
    // What is removed meanwhile is no error.
    const lines = stderr.split('\n').filter((line) => line !== '');
    if (exitCode !== 0 && !lines.every((line) => line.endsWith('No such file or directory'))) {
      throw new CephbackupError('COMMAND_FAILED', `find: ${lastLine(stderr)}`);
    }
    const fields = stdout.split('\0').slice(0, -1);
    const entries = Array.from({ length: Math.floor(fields.length / 3) }, (_, index) => ({
      depth: Number(fields[3 * index]),
      start: fields[3 * index + 1] ?? '',
      path: fields[3 * index + 2] ?? '',
    }));
    // Nothing found is an answer, nothing said is none: each place is printed, or named as one that is not there.
    const looked = entries.filter(({ depth }) => depth === 0).length;
    if (looked + lines.length >= places.length) return entries;
    throw new CephbackupError(
      'COMMAND_OUTPUT_INVALID',
      `find: it looked into ${looked} of ${places.length} directories, and does not say why`,
    );
  };
  const directories = of === 'itself' ? [''] : await subvolumeDirectories(find);
  const found: Omit<FoundSnapshot, 'managed'>[] = [];
  for (let start = 0; start < directories.length; start += batch) {
    const places = directories.slice(start, start + batch).map((name) => `${clientDirectory}/${name}/.snap`);
    const ours = ['(', '-name', '.snap', '-o', '-name', 'cephbackup-*', ')'];
    for (const { depth, start: place, path: name } of await find(places, [
      '-maxdepth',
      '1',
      ...ours,
      ...print,
    ])) {
      if (depth === 0) continue;
      const [directory = ''] = place.slice(clientDirectory.length + 1).split('/');
      found.push({ directory: directory === '.snap' ? '' : directory, name });
    }
  }
  const managed = of === 'itself' ? new Set<string>() : await subvolumesOf(find, found);
  return found.map((one) => ({ ...one, managed: managed.has(one.directory) }));
}

/** Those of the directories that the manager knows. */
async function subvolumesOf(
  find: Find,
  found: readonly Pick<FoundSnapshot, 'directory'>[],
): Promise<Set<string>> {
  const directories = [...new Set(found.map(({ directory }) => directory))];
  const managed = new Set<string>();
  for (let start = 0; start < directories.length; start += batch) {
    const files = directories
      .slice(start, start + batch)
      .map((name) => `${clientDirectory}/${name}/${metadataFile}`);
    for (const { start: file } of await find(files, ['-maxdepth', '0', ...print]))
      managed.add(file.slice(clientDirectory.length + 1, -(metadataFile.length + 1)));
  }
  return managed;
}

async function subvolumeDirectories(find: Find): Promise<string[]> {
  const all = await find([clientDirectory], ['-maxdepth', '2', '-type', 'd', ...print]);
  return all.flatMap(({ depth, path: name }) => {
    const [, data] = name.split('/');
    return depth > 0 && (data === undefined || isUuid(data)) ? [name] : [];
  });
}
