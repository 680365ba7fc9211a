import type { ClaimStatus } from './status.js';

/** What to do about a claim: a line for each thing that is wrong with it. `status` and `report` say the same. */
export function adviceOf({ backup, covered, lastError, guidance, repository }: ClaimStatus): string[] {
  const lines = lastError === null ? [] : [`${lastError}: ${guidance ?? 'an unknown code'}`];
  if (backup && !covered)
    lines.push(
      'where that cannot be mended, save it by other means and leave it out with the annotation `<prefix>/backup: "false"`: until then it counts as a gap',
    );
  if (repository?.problem === 'mark-without-snapshot')
    lines.push('its backup is not in the repository any more: back it up with `cephbackup run`');
  if (repository?.problem === 'snapshot-without-mark')
    lines.push(
      `snapshot ${repository.newestSnapshot?.slice(0, 8) ?? ''} of ${repository.newestTime ?? ''} is not marked as proven: the next run makes another`,
    );
  return lines;
}
