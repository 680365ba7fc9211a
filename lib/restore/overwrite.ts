import type { ErrorCode } from '../errors/catalogue.js';
import { CephbackupError } from '../errors/error.js';
import type { Content } from './target.js';

/**
 * The one decision on what a restore may format or overwrite. Whoever restores says what was found, looks further where
 * the answer is `look`, and does what the answer says; nothing else in this program decides it.
 */
export type Decision =
  /** There is nothing yet: it is made. */
  | 'create'
  /** Something is there: what it contains has to be known first. Nothing is written for that. */
  | 'look'
  /** A filesystem is made on an image that has none. */
  | 'format'
  /** Files are added to a filesystem or directory: those of the same name are replaced, none is deleted. */
  | 'fill'
  /** Every byte is overwritten. */
  | 'replace'
  | { refuse: ErrorCode; why: string };

/** `claim`: the image that a claim has already; `image`: one that was named; `share`: a claim's CephFS directory. */
export type TargetKind = 'claim' | 'image' | 'share' | 'directory' | 'file';

export type Found =
  | 'nothing'
  /** It exists. What is in it was not looked at. */
  | 'something'
  /** An image of zeros: never written, or zeroed. */
  | 'blank'
  /** A filesystem or directory with no file in it; an empty `lost+found` does not count. */
  | 'empty'
  | 'content'
  /** A filesystem whose journal was not replayed: what it contains is not known. */
  | 'unclean'
  /** Data, but nothing that says what they are; or a filesystem of which its maker says that it is unfinished. */
  | 'unfinished'
  /** Another filesystem than the one that is meant, an encrypted disk, a partition table, and the like. */
  | 'foreign';

export interface Situation {
  target: TargetKind;
  content: Content;
  found: Found;
  /** Of a restore that began to format this image, if its mark is there. */
  marker: FormattingMarker | null;
  force: boolean;
}

/** Says who began to make a filesystem on an image; removed once it is made. */
export interface FormattingMarker {
  /** The restore that did; null where an older version noted none. */
  restore: string | null;
  /** RFC 3339, UTC. */
  time: string | null;
}

export function decide(situation: Situation): Decision {
  const { target, content, found, force } = situation;
  if (found === 'nothing') {
    return target === 'claim' || target === 'share' ? refuse('TARGET_NOT_FOUND', 'does not exist') : 'create';
  }
  const named = target === 'image' || target === 'file';
  if (named && !force) return refuse('TARGET_EXISTS', 'exists');
  return content === 'disk' ? decideDisk(situation) : decideFiles(situation);
}

/** A disk has no files that could be kept: all of it is overwritten, or nothing. */
function decideDisk({ found, force }: Situation): Decision {
  if (force || found === 'blank') return 'replace';
  return found === 'something' ? 'look' : refuse('TARGET_EXISTS', 'has content');
}

function decideFiles({ found, marker, force }: Situation): Decision {
  switch (found) {
    case 'blank':
      return 'format';
    case 'empty':
      return 'fill';
    case 'content':
      return force ? 'fill' : refuse('TARGET_EXISTS', 'has content');
    case 'unclean':
      return force
        ? 'fill'
        : refuse(
            'TARGET_EXISTS',
            'has a filesystem that was not unmounted cleanly: what it contains is not known',
          );
    case 'unfinished':
      return decideUnfinished(marker, force);
    case 'foreign':
      return refuse('FILESYSTEM_MISMATCH', 'contains something else than the filesystem that it should have');
    default:
      return 'look';
  }
}

/** A mark alone permits nothing: it may be left from long ago, and who used the image since is not known. */
function decideUnfinished(marker: FormattingMarker | null, force: boolean): Decision {
  if (marker === null) return refuse('FILESYSTEM_MISMATCH', 'contains data, but no filesystem');
  if (force) return 'format';
  const { restore, time } = marker;
  const who = restore === null ? 'a restore' : `restore ${restore} of ${time ?? 'unknown time'}`;
  return refuse(
    'TARGET_EXISTS',
    `contains data and no filesystem: ${who} was interrupted while it formatted it, and --force formats it again`,
  );
}

function refuse(code: ErrorCode, why: string): Decision {
  return { refuse: code, why };
}

/** @param shown names the target, with its article @throws CephbackupError what the decision refuses with */
export function unlessRefused(decision: Decision, shown: string): Exclude<Decision, object> {
  if (typeof decision === 'string') return decision;
  throw new CephbackupError(decision.refuse, `${shown} ${decision.why}`);
}
