import { rfc3339 } from '../../../../log/time.js';
import { repositoryMistakes, repositoryWarnings } from '../../../../repository/configuration.js';
import { failed, NotChecked, ok, warning, type Check, type Finding } from '../../check.js';
import { repositoryDeadlineMs } from '../../setup.js';
import { readLocks, type LockFile } from '../../../../tools/restic/lock-files.js';
import { deadAfterMs } from '../../../../tools/restic/locks.js';

/** restic's variables are set, and the files they name can be read. */
export const repositoryConfiguration: Check = {
  name: 'repository-configuration',
  run: ({ parts }) => {
    const mistakes = repositoryMistakes(parts.env);
    const doubts = repositoryWarnings(parts.env).map((text) =>
      warning(text, 'take it away while the repository is new, or keep the password with it in every place'),
    );
    if (mistakes.length === 0) {
      return Promise.resolve(doubts.length > 0 ? doubts : ok('restic has a repository and a password'));
    }
    const fix =
      'set RESTIC_REPOSITORY and RESTIC_PASSWORD_FILE (the chart: keys of the Secret repository.existingSecret)';
    return Promise.resolve(mistakes.map(({ message }) => failed(message, fix)));
  },
};

/** The repository can be reached and opened. */
export const repository: Check = {
  name: 'repository',
  run: async (setup) => {
    const [mistake] = repositoryMistakes(setup.parts.env);
    if (mistake !== undefined)
      return warning('not checked: it is not configured', 'mend that first, then try again');
    try {
      const { id, version } = await setup.repository();
      return ok(`repository ${id.slice(0, 10)} (format ${version}) opens with its password`);
    } catch (thrown) {
      if (thrown instanceof NotChecked) return failed(thrown.cause.message, thrown.cause.guidance);
      throw thrown;
    }
  },
};

/** So many are named. */
const mostLocks = 5;

/** Nobody's lock is in the way. */
export const repositoryLocks: Check = {
  name: 'repository-locks',
  run: async (setup, signal) => {
    await setup.repository();
    const { restic, clock } = setup.parts;
    const { count, locks } = await readLocks(restic, {
      ...{ most: mostLocks, noCache: true },
      ...{ signal, deadlineMs: repositoryDeadlineMs },
    });
    if (count === 0) return ok('none');
    const findings = locks.map((lock) => lockFinding(lock, clock()));
    if (count > locks.length && findings.length > 0)
      findings.push(warning(`${count} locks in all`, 'see `restic list locks`'));
    return findings.length === 0 ? ok('none that lasts') : findings;
  },
};

function lockFinding({ host, pid, exclusive, time }: LockFile, now: number): Finding {
  const how = exclusive ? 'locked exclusively' : 'in use';
  const who = `${how} by process ${pid} on ${host}, last sign of life ${rfc3339(time)}`;
  if (now - time <= deadAfterMs) {
    const wait =
      'wait until it is done; if it was killed, wait until 30 minutes have passed since that sign of life';
    return exclusive ? warning(who, wait) : ok(who);
  }
  // It would also remove the locks of its own host name whose process it does not see.
  const fix = `once no restic runs on ${host}: \`restic unlock\` on a machine of another name`;
  return exclusive
    ? failed(`${who}: stale, no run can back up`, fix)
    : warning(`${who}: stale, it keeps \`prune\` from working`, fix);
}
