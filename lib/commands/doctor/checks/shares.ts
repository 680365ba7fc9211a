import { randomBytes } from 'node:crypto';
import { asCephbackupError } from '../../../errors/error.js';
import type { PlannedVolume } from '../../../plan/types.js';
import { Scope } from '../../../ownership/scope.js';
import { formatSubvolume } from '../../../tools/ceph/fs.js';
import { openNamespace } from '../../../tools/node/namespace.js';
import { mountInScope } from '../../../volumes/cephfs/client.js';
import { cephFsClients, locateShare, type LocatedShare } from '../../../volumes/cephfs/locate.js';
import { failed, NotChecked, ok, type Check, type Finding } from '../check.js';
import { cephDeadlineMs, type Setup } from '../setup.js';

interface Share {
  volume: PlannedVolume;
  located: LocatedShare;
}

interface Shares {
  /** Of each filesystem. */
  shares: Map<string, Share[]>;
  lost: Finding[];
}

function shares(setup: Setup): Promise<Shares> {
  return setup.once('CephFS', async () => {
    const { exec, clientsFor, signal } = setup.parts;
    const clients = cephFsClients(exec, clientsFor);
    const found = new Map<string, Share[]>();
    const lost: Finding[] = [];
    for (const volume of await setup.volumes('cephfs')) {
      await setup.cephStatus(volume.details?.monitors ?? null);
      try {
        const located = await locateShare(clients, volume, signal);
        const key = `${volume.details?.monitors?.join(',') ?? ''}\n${located.fs}`;
        found.set(key, [...(found.get(key) ?? []), { volume, located }]);
      } catch (thrown) {
        const { message, guidance } = asCephbackupError(thrown);
        lost.push(failed(`${volume.namespace}/${volume.pvc}: ${message}`, guidance));
      }
    }
    return { shares: found, lost };
  });
}

/** The filesystems that PersistentVolumes name exist, and their managers take snapshots for this user. */
export const cephfsSnapshots: Check = {
  name: 'cephfs',
  run: async (setup, signal) => {
    const { shares: found, lost } = await shares(setup);
    const findings = await Promise.all(
      [...found.values()].map(async ([first, ...others]): Promise<Finding[]> => {
        if (first === undefined) return [];
        const { cephFs, fs } = first.located;
        const all = [first, ...others];
        const byManager = all.filter(({ located }) => located.place.by === 'manager');
        const subvolume = byManager[0]?.located.subvolume ?? null;
        if (subvolume === null) return [ok(`the filesystem ${fs} is available`)];
        const nobody = `cephbackup-doctor-${randomBytes(6).toString('hex')}`;
        // Whoever may, is told that there is no such subvolume, which counts as success.
        await cephFs.removeSnapshot({ ...subvolume, subvolume: nobody }, nobody, {
          signal,
          deadlineMs: cephDeadlineMs,
        });
        return [
          ...(await missing(byManager, signal)),
          ok(`the filesystem ${fs} is available, and its snapshots can be made`),
        ];
      }),
    );
    const all = [...lost, ...findings.flat()];
    return all.length === 0 ? ok('no volume needs it') : all;
  },
};

/** Subvolumes that PersistentVolumes name and that do not exist; the manager is asked once for each group. */
async function missing(of: readonly Share[], signal: AbortSignal): Promise<Finding[]> {
  const groups = new Map<string | null, Set<string>>();
  const findings: Finding[] = [];
  for (const { volume, located } of of) {
    const { cephFs, subvolume, fs } = located;
    if (subvolume === null) continue;
    const { group } = subvolume;
    const names =
      groups.get(group) ??
      new Set(await cephFs.subvolumes(fs, group, { signal, deadlineMs: cephDeadlineMs }));
    groups.set(group, names);
    if (names.has(subvolume.subvolume)) continue;
    findings.push(
      failed(
        `${volume.namespace}/${volume.pvc}: there is no subvolume ${formatSubvolume(subvolume)}`,
        `compare with \`ceph fs subvolume ls ${fs}${group === null ? '' : ` --group_name ${group}`}\``,
      ),
    );
  }
  return findings;
}

/** The client that was chosen can mount one share of each filesystem. */
export const cephfsMount: Check = {
  name: 'cephfs-mount',
  run: async (setup, signal) => {
    const { shares: found } = await shares(setup);
    const examples = [...found.values()].flatMap(([first]) => first ?? []);
    if (examples.length === 0) return ok('no share to mount');
    return Promise.all(examples.map((share) => mountOnce(setup, share, signal)));
  },
};

async function mountOnce(setup: Setup, { volume, located }: Share, signal: AbortSignal): Promise<Finding> {
  const { startDaemon, childEnv, cephfsClient, log, hostname } = setup.parts;
  const { cephFs, fs, place, cluster } = located;
  const scope = new Scope(hostname, log);
  try {
    const namespace = await openNamespace(startDaemon, childEnv).catch((thrown: unknown) => {
      // That is another check's business.
      const error = asCephbackupError(thrown);
      throw new NotChecked(`not checked: ${error.message}`, error);
    });
    scope.add(null, () => namespace.close());
    const request = {
      connection: cephFs.connection,
      fs,
      root: place.root,
      writable: false,
      kernelOptions: located.kernelOptions,
      namespace,
      signal,
      warn: (text: string) => {
        log.warn(text);
      },
    };
    const mount = await mountInScope(cephfsClient, request, { scope, cluster });
    return ok(`${volume.namespace}/${volume.pvc} of the filesystem ${fs} can be mounted (${mount.fsType})`);
  } finally {
    await scope.release();
  }
}
