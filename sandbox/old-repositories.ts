import path from 'node:path';
import { runLane } from './lane.js';
import { buildRelease } from './old-release.js';
import { own } from './owner.js';

/** The last commit before proofs were recorded: what it saved counts on, and an old installation may still be in use. */
const withoutRecord = '66ddcd1ca5e119a1284293597de5932568cc1dc8';

/**
 * `npm run test:old-repositories [-- ARGUMENTS FOR JEST]`: today's commands on repositories that an earlier release made,
 * and that release on what today's commands leave. OLD_RELEASE names another commit; the history of this checkout is needed.
 */
await own(async (owner) => {
  const release = path.join(owner.folder, 'release');
  await buildRelease(process.env.OLD_RELEASE ?? withoutRecord, release);
  const program = path.join(release, 'dist/bin/cephbackup.js');
  return runLane(owner, '__tests__/old-repositories/**/*.old.ts', { OLD_RELEASE_PROGRAM: program });
});
