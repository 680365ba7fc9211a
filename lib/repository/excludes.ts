import { createHash } from 'node:crypto';
import { writeUnnamedFile } from '../tools/process/unnamed-file.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';

/** What a filesystem's backup leaves out. */
export interface ExcludeRules {
  /** restic's patterns; `/x` is anchored at the volume's root. */
  patterns: readonly string[];
  /** Directories with a CACHEDIR.TAG. */
  caches: boolean;
  /** Directories with a file of one of these names. */
  ifPresent: readonly string[];
}

export const nothingExcluded: ExcludeRules = { patterns: [], caches: false, ifPresent: [] };

/** As results and the log tell them: patterns as they were written, then the options. */
export function describeExcludes({ patterns, caches, ifPresent }: ExcludeRules): string[] {
  return [
    ...patterns,
    ...(caches ? ['--exclude-caches'] : []),
    ...ifPresent.map((name) => `--exclude-if-present=${name}`),
  ];
}

export interface ExcludeArguments {
  args: string[];
  /** To be called when restic has ended. */
  close: () => void;
}

/**
 * restic's arguments. Patterns reach it by a file without a name.
 *
 * @param root absolute path of the volume's root
 * @param folder for temporary files
 * @throws the errors of the filesystem
 */
export function excludeArguments(rules: ExcludeRules, root: string, folder: string): ExcludeArguments {
  const { patterns, caches, ifPresent } = rules;
  const marker = excludesMarker(rules);
  const file =
    patterns.length === 0 ? null : writeUnnamedFile(folder, [Buffer.from(excludeFile(patterns, root))]);
  return {
    args: [
      ...(file === null ? [] : [`--exclude-file=${file.path}`]),
      ...(caches ? ['--exclude-caches'] : []),
      ...ifPresent.map((name) => `--exclude-if-present=${name}`),
      ...(marker === null ? [] : [`--exclude=${marker}`]),
    ],
    close: () => {
      file?.close();
    },
  };
}

/**
 * restic compares with whole paths: a pattern without a leading slash would match the folders above the volume, too. It
 * also replaces `$NAME` by its environment, which holds the repository's credentials.
 */
export function excludeFile(patterns: readonly string[], root: string): string {
  const lines = patterns.map((pattern) => {
    const [negation, path] = pattern.startsWith('!') ? ['!', pattern.slice(1)] : ['', pattern];
    const anchored = path.startsWith('/') ? `${root}${path}` : `${root}/**/${path}`;
    return `${negation}${anchored.replaceAll('$', '$$$$')}`;
  });
  // A first line of ours, so that no bytes of a tenant's are taken for the mark of an encoding.
  return ['# written by cephbackup', ...lines, ''].join('\n');
}

const markerFolder = '/.cephbackup/excludes';

/**
 * A pattern that matches nothing: the snapshot keeps it, and so tells by which rules it was made. restic keeps nothing of
 * a file of patterns. Null where nothing is excluded.
 */
export function excludesMarker(rules: ExcludeRules): string | null {
  const described = describeExcludes(rules);
  if (described.length === 0) return null;
  const digest = createHash('sha256').update(JSON.stringify(described)).digest('hex');
  return `${markerFolder}/${digest.slice(0, 16)}`;
}

/** Whether a snapshot was made by other rules. */
export function madeByOtherRules({ excludes = [] }: ResticSnapshot, rules: ExcludeRules): boolean {
  const marker = excludes.find((pattern) => pattern.startsWith(`${markerFolder}/`)) ?? null;
  return marker !== excludesMarker(rules);
}

const cacheTag = 'CACHEDIR.TAG';

/** The files that mark a directory as excluded, and are not excluded themselves. */
export function tagNames({ caches, ifPresent }: ExcludeRules): string[] {
  // `NAME:HEADER` asks for a file that begins with HEADER.
  return [...(caches ? [cacheTag] : []), ...ifPresent.map((name) => name.split(':')[0] ?? '')];
}
