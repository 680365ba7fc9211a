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
  const find = async (args: readonly string[]): Promise<string[]> => {
    const options = { namespace, signal, deadlineMs, env: { ...env, LC_ALL: 'C' } };
    const { exitCode, stdout, stderr } = await exec('find', args, options);
    // What is removed meanwhile is no error.
    const lines = stderr.split('\n').filter((line) => line !== '');
    if (exitCode !== 0 && !lines.every((line) => line.endsWith('No such file or directory'))) {
      throw new CephbackupError('COMMAND_FAILED', `find: ${lastLine(stderr)}`);
    }
    return stdout.split('\0').slice(0, -1);
  };
  const directories = of === 'itself' ? [''] : await subvolumeDirectories(find);
  const found: Omit<FoundSnapshot, 'managed'>[] = [];
  for (let start = 0; start < directories.length; start += batch) {
    const places = directories.slice(start, start + batch).map((name) => `${clientDirectory}/${name}/.snap`);
    const test = ['-mindepth', '1', '-maxdepth', '1', '-name', 'cephbackup-*', '-printf', '%H\\0%f\\0'];
    const fields = await find([...places, ...test]);
    for (let index = 0; index + 1 < fields.length; index += 2) {
      const [directory = ''] = fields[index]?.slice(clientDirectory.length + 1).split('/') ?? [];
      found.push({ directory: directory === '.snap' ? '' : directory, name: fields[index + 1] ?? '' });
    }
  }
  const managed = of === 'itself' ? new Set<string>() : await subvolumesOf(find, found);
  return found.map((one) => ({ ...one, managed: managed.has(one.directory) }));
}

/** Those of the directories that the manager knows. */
async function subvolumesOf(
  find: (args: readonly string[]) => Promise<string[]>,
  found: readonly Pick<FoundSnapshot, 'directory'>[],
): Promise<Set<string>> {
  const directories = [...new Set(found.map(({ directory }) => directory))];
  const managed = new Set<string>();
  for (let start = 0; start < directories.length; start += batch) {
    const files = directories
      .slice(start, start + batch)
      .map((name) => `${clientDirectory}/${name}/${metadataFile}`);
    const there = await find([...files, '-maxdepth', '0', '-printf', '%p\\0']);
    for (const file of there) managed.add(file.slice(clientDirectory.length + 1, -(metadataFile.length + 1)));
  }
  return managed;
}

async function subvolumeDirectories(find: (args: readonly string[]) => Promise<string[]>): Promise<string[]> {
  const all = await find([
    clientDirectory,
    ...['-mindepth', '1', '-maxdepth', '2', '-type', 'd', '-printf', '%P\\0'],
  ]);
  return all.filter((name) => {
    const [, data] = name.split('/');
    return data === undefined || isUuid(data);
  });
}
