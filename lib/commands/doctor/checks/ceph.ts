import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CephbackupError } from '../../../errors/error.js';
import { CommandFailure } from '../../../tools/process/ending.js';
import { parseJsonObjects } from '../../../tools/process/json.js';
import { clustersOf } from '../../shared/ceph.js';
import { healthWarnings } from '../../../volumes/cluster-health.js';
import { failed, NotChecked, ok, warning, type Check, type Finding } from '../check.js';
import { cephDeadlineMs, type Setup } from '../setup.js';

/** The clusters to look at, by their monitors; null stands for ceph.conf's. */
async function clustersIn(setup: Setup): Promise<(readonly string[] | null)[]> {
  try {
    return clustersOf(await setup.volumes('rbd-filesystem', 'rbd-block', 'cephfs'));
  } catch (thrown) {
    // Without a plan, ceph.conf's cluster is still worth a look.
    if (thrown instanceof NotChecked) return [null];
    throw thrown;
  }
}

function nameOf(monitors: readonly string[] | null): string {
  return monitors === null ? 'the cluster of ceph.conf' : `the cluster of ${monitors.join(',')}`;
}

/** The monitors answer, and take the user's key. */
export const cephConnection: Check = {
  name: 'ceph-connection',
  run: async (setup) => {
    const clusters = await clustersIn(setup);
    if (clusters.length === 0) return ok('no volume needs it');
    return Promise.all(
      clusters.map(async (monitors): Promise<Finding> => {
        const { keyring, ...connection } = setup.parts.connectionOf(monitors);
        const user = `client.${connection.user ?? 'admin'}`;
        try {
          await setup.cephStatus(monitors);
          return ok(`${nameOf(monitors)} answers to ${user}`);
        } catch (thrown) {
          if (!(thrown instanceof NotChecked)) throw thrown;
          if (await lacksKey(keyring, user)) return noKey(user, `it is not in ${keyring ?? ''}`);
          const { code, message, guidance } = thrown.cause;
          if (code === 'CEPH_KEY_UNREADABLE') return failed(message, guidance);
          return connectionFailure(thrown.cause, user, monitors);
        }
      }),
    );
  },
};

function noKey(user: string, message: string): Finding {
  return failed(
    `no key of ${user}: ${message}`,
    `pass --ceph-keyring with a file of \`ceph auth get ${user}\` (the chart: key keyring of the Secret)`,
  );
}

/** Without a key of its own, a client tries to get in without one, and is told that it may not. */
async function lacksKey(keyring: string | null, user: string): Promise<boolean> {
  if (keyring === null) return false;
  const text = await readFile(keyring, 'utf8').catch(() => '');
  return !text.split('\n').some((line) => line.trim() === `[${user}]`);
}

/** What the clients of Ceph say, in words and with what to do. The command, which names a keyring, is not theirs. */
function connectionFailure(
  error: CephbackupError,
  user: string,
  monitors: readonly string[] | null,
): Finding {
  const which = nameOf(monitors);
  const { message } = error;
  const said = error instanceof CommandFailure ? error.stderr : message;
  if (/errno 13|permission denied|EACCES|\(13\)/i.test(said)) {
    return failed(
      `${which} does not accept the key of ${user}, or its capabilities let it do nothing: ${message}`,
      `compare with \`ceph auth get ${user}\`, and give it the capability mon "profile rbd"`,
    );
  }
  if (/errno 2\b|object not found|keyring|ENOENT/i.test(said)) {
    return noKey(user, message);
  }
  return failed(
    `${which} does not answer: ${message}`,
    'check mon_host in ceph.conf (or the monitors of --ceph-clusters) and the network, with `ceph -s`',
  );
}

/** What a backup would make worse, or what makes it fail, as Ceph itself warns of it. */
export const cephHealth: Check = {
  name: 'ceph-health',
  run: async (setup) => {
    const clusters = await clustersIn(setup);
    if (clusters.length === 0) return ok('no volume needs it');
    const findings = await Promise.all(
      clusters.map(async (monitors): Promise<Finding[]> => {
        const warnings = healthWarnings(await setup.cephStatus(monitors));
        if (warnings.length === 0)
          return [ok(`${nameOf(monitors)} has room, and keeps up with what it removes`)];
        return warnings.map(({ said, blocks }) =>
          (blocks ? failed : warning)(
            `${nameOf(monitors)} ${said}`,
            'see `ceph health detail` and `ceph df`, and mend that first',
          ),
        );
      }),
    );
    return findings.flat();
  },
};

/** How far clocks may differ. Ceph's own monitors tolerate 50 ms among themselves. */
const toleratedMs = 5_000;
const refusedMs = 300_000;
/** How long the monitors may take to have logged a command. */
const logDelayMs = 1_500;

/**
 * This clock and the monitors': the time at which they logged one of our own commands must lie within the time that it
 * took. Besides, Ceph tells itself where its monitors differ.
 */
export const cephClock: Check = {
  name: 'clock-ceph',
  run: async (setup, signal) => {
    const clusters = await clustersIn(setup);
    if (clusters.length === 0) return ok('no volume needs it');
    const findings = await Promise.all(clusters.map((monitors) => clockOf(setup, monitors, signal)));
    return findings.flat();
  },
};

async function clockOf(
  setup: Setup,
  monitors: readonly string[] | null,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { clientsFor, clock, connectionOf } = setup.parts;
  const which = nameOf(monitors);
  const { health } = await setup.cephStatus(monitors);
  const skew = health.find(({ code }) => code === 'MON_CLOCK_SKEW');
  const fix = 'synchronise the clocks with the same time servers, e.g. `chronyc makestep`';
  if (skew !== undefined) return [warning(`in ${which}: ${skew.message}`, fix)];

  const { ceph } = clientsFor(monitors);
  const ask = (args: string[]) => ceph.json(args, { signal, deadlineMs: cephDeadlineMs });
  const before = clock();
  await ask(['osd', 'stat']);
  const after = clock();
  await sleep(logDelayMs, undefined, { signal });
  const log = await ask(['log', 'last', '50', 'debug', 'audit']).catch(() => null);
  const distance =
    log === null ? null : nearest(log, `client.${connectionOf(monitors).user ?? 'admin'}`, before, after);
  if (distance === null) return [ok(`${which}: its monitors agree; how far this clock is off was not told`)];
  const text = `this clock and that of ${which} differ by ${Math.round(distance / 1000)} s`;
  if (distance > refusedMs) return [failed(text, fix)];
  return [distance > toleratedMs ? warning(text, fix) : ok(text)];
}

/** How far the entry of our command lies from the time that it took here; null where it is not there. */
export function nearest(log: string, entity: string, before: number, after: number): number | null {
  const distances = parseJsonObjects(log, 'ceph log last').flatMap(({ stamp, message }) => {
    const ours =
      typeof message === 'string' && message.includes(`'${entity}'`) && message.includes('osd stat');
    const time = ours && typeof stamp === 'string' ? Date.parse(stamp.replace(/\+0000$/, 'Z')) : NaN;
    return Number.isNaN(time) ? [] : [Math.max(0, before - time, time - after)];
  });
  return distances.length === 0 ? null : Math.min(...distances);
}
