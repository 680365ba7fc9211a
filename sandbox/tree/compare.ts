import type { Entry, Tree } from './describe.js';

export interface CompareOptions {
  /** Files that were sparse must be sparse again. */
  sparse?: boolean;
  /** Whether access control lists count. Default true. */
  acls?: boolean;
  /** Paths (as the trees' keys) that may differ or be missing. */
  except?: (path: string) => boolean;
}

const compared = ['type', 'mode', 'owner', 'mtime', 'size', 'content', 'linkedTo'] as const;

/** What is not the same in two trees, one line a difference; nothing if they are equal. */
export function differences(
  expected: Tree,
  actual: Tree,
  { sparse = false, acls = true, except = () => false }: CompareOptions = {},
): string[] {
  const paths = [...new Set([...expected.keys(), ...actual.keys()])].filter((path) => !except(path)).sort();
  return paths.flatMap((path) => {
    const [before, after] = [expected.get(path), actual.get(path)];
    const shown = JSON.stringify(path);
    if (before === undefined) return [`${shown}: should not exist`];
    if (after === undefined) return [`${shown}: is missing`];
    return [...entryDifferences(before, after, { sparse, acls })].map((text) => `${shown}: ${text}`);
  });
}

function* entryDifferences(
  before: Entry,
  after: Entry,
  { sparse, acls }: { sparse: boolean; acls: boolean },
): Iterable<string> {
  for (const field of compared) {
    if (before[field] !== after[field]) yield `${field} was ${before[field]}, is ${after[field]}`;
  }
  const [had, has] = [before, after].map(({ attributes }) =>
    attributes.filter((text) => acls || !text.startsWith('system.posix_acl_')).join(' '),
  );
  if (had !== has) yield `attributes were [${had ?? ''}], are [${has ?? ''}]`;
  const wasSparse = before.allocated < before.size / 2n;
  if (sparse && wasSparse && after.allocated > after.size / 2n) {
    yield `was sparse (${before.allocated} bytes allocated), is not (${after.allocated})`;
  }
}
