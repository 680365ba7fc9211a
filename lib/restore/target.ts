import { CephbackupError } from '../errors/error.js';
import { formatImage, type ImageSpec } from '../tools/rbd/image-spec.js';

/** Where to restore to. */
export type Target =
  | { type: 'image'; image: ImageSpec }
  | { type: 'pvc'; namespace: string; pvc: string }
  | { type: 'directory'; path: string }
  | { type: 'file'; path: string; format: 'qcow2' | 'raw' };

/** What a backup contains: a disk in one file, or the files of a filesystem. */
export type Content = 'disk' | 'files';

const contents = new Map<string, Content>([
  ['rbd-block', 'disk'],
  ['rbd-filesystem', 'files'],
  ['cephfs', 'files'],
]);

/** @throws CephbackupError TARGET_UNSUITABLE for backups of a kind that a later version writes */
export function contentOf(kind: string): Content {
  const content = contents.get(kind);
  if (content !== undefined) return content;
  throw new CephbackupError('TARGET_UNSUITABLE', `this version cannot restore backups of kind ${kind}`);
}

/** Says what makes no sense, with the reason. @throws CephbackupError TARGET_UNSUITABLE */
export function refuseUnsuitable(
  content: Content,
  target: Target,
  { path, partition }: { path: string | null; partition: number | null },
): void {
  const refuse = (why: string) => new CephbackupError('TARGET_UNSUITABLE', why);
  if (content === 'disk' && partition === null && target.type === 'directory') {
    throw refuse(
      'this is a backup of a disk: --partition N takes files out of it, --to-file and --to-image restore all of it',
    );
  }
  if (content === 'disk' && partition === null && path !== null) {
    throw refuse(
      'this is a backup of a disk: --path needs --partition N, which says in which of its partitions',
    );
  }
  if (content === 'files' && partition !== null) {
    throw refuse('this is a backup of files: --partition is for disks');
  }
  if (content === 'files' && target.type === 'file') {
    throw refuse('this is a backup of files, not of a disk: use --to-directory, --to-image or --to-pvc');
  }
}

export function describeTarget(target: Target): string {
  switch (target.type) {
    case 'image':
      return `the image ${formatImage(target.image)}`;
    case 'pvc':
      return `the volume of the claim ${target.namespace}/${target.pvc}`;
    case 'directory':
      return `the directory ${target.path}`;
    case 'file':
      return `the file ${target.path}`;
  }
}
