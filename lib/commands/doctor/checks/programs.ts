import type { VolumeKind } from '../../../plan/types.js';
import { resolveProgram } from '../../../tools/process/launch.js';
import { lastLine } from '../../../tools/process/outcome.js';
import { failed, ok, warning, type Check, type Finding } from '../check.js';
import type { Setup } from '../setup.js';

/** Debian's packages of programs that are not of util-linux or coreutils. */
const packages: Record<string, string> = {
  restic: 'restic',
  rbd: 'ceph-common',
  ceph: 'ceph-common',
  'mount.ceph': 'ceph-common',
  'ceph-fuse': 'ceph-fuse',
  'rbd-nbd': 'rbd-nbd',
  'qemu-storage-daemon': 'qemu-system-common qemu-block-extra',
  e2fsck: 'e2fsprogs',
  xfs_repair: 'xfsprogs',
  find: 'findutils',
  mount: 'mount',
  umount: 'mount',
};

function isThere({ parts }: Setup, program: string): boolean {
  try {
    resolveProgram(program, parts.env.PATH);
    return true;
  } catch {
    return false;
  }
}

/** Also xfs_repair, which only volumes with xfs need, and only for --fsck full. */
async function needed(setup: Setup): Promise<string[]> {
  const { options, programsFor } = setup.parts;
  const volumes = options.fsck === 'full' ? await setup.volumes('rbd-filesystem').catch(() => []) : [];
  const xfs = volumes.some(({ details }) => details?.fsType === 'xfs');
  return [...programsFor(await setup.kinds()), ...(xfs ? ['xfs_repair'] : [])];
}

/** All that the kinds of volumes and the options need is on PATH. */
export const programs: Check = {
  name: 'programs',
  run: async (setup) => {
    const all = await needed(setup);
    const missing = all.filter((program) => !isThere(setup, program));
    if (missing.length === 0) return ok(`all ${all.length} are on PATH`);
    return missing.map((program) => {
      const from = packages[program] ?? 'util-linux coreutils';
      return failed(`${program} is not on PATH`, `apt-get install ${from} (or add its folder to PATH)`);
    });
  },
};

/** The oldest restic that works, and the oldest that is recommended. */
const oldest: [number, number] = [0, 17];
const recommended: [number, number] = [0, 19];

function isBefore(
  [major, minor]: readonly [number, number, ...unknown[]],
  [a, b]: [number, number],
): boolean {
  return major < a || (major === a && minor < b);
}

export const resticVersion: Check = {
  name: 'restic-version',
  run: async (setup, signal) => {
    if (!isThere(setup, 'restic')) return warning('not checked: restic is not on PATH', 'install it first');
    const version = await setup.parts.restic.version({ signal });
    const said = `restic ${version.join('.')}`;
    if (isBefore(version, oldest))
      return failed(`${said} is too old`, `install restic ${recommended.join('.')} and put it first on PATH`);
    if (isBefore(version, recommended))
      return warning(
        `${said} works, but can hang where an upload fails`,
        `install restic ${recommended.join('.')} or newer`,
      );
    return ok(said);
  },
};

/** How each program tells its version; what they print differs too much for more than showing it. */
const tellers: Record<string, { args: string[]; kinds: VolumeKind[] }> = {
  rbd: { args: ['--version'], kinds: ['rbd-filesystem', 'rbd-block'] },
  ceph: { args: ['--version'], kinds: ['cephfs'] },
  'ceph-fuse': { args: ['--version'], kinds: ['cephfs'] },
  e2fsck: { args: ['-V'], kinds: ['rbd-filesystem'] },
  xfs_repair: { args: ['-V'], kinds: ['rbd-filesystem'] },
  'qemu-storage-daemon': { args: ['--version'], kinds: ['rbd-filesystem'] },
};

/** The first release of Ceph that was tried. */
const oldestCeph = 16;

/** The versions of what volumes need, and that each program starts at all. */
export const versions: Check = {
  name: 'versions',
  run: async (setup, signal) => {
    const wanted = (await needed(setup)).filter((program) => Object.hasOwn(tellers, program));
    const here = wanted.filter((program) => isThere(setup, program));
    if (here.length === 0) return ok('no program to ask');
    const findings = await Promise.all(here.map((program) => versionOf(setup, program, signal)));
    const bad = findings.filter(({ status }) => status !== 'ok');
    const good = findings.filter(({ status }) => status === 'ok').map(({ message }) => message);
    return [...bad, ...(good.length === 0 ? [] : [ok(good.join('; '))])];
  },
};

async function versionOf({ parts }: Setup, program: string, signal: AbortSignal): Promise<Finding> {
  const { args } = tellers[program] ?? { args: ['--version'] };
  const result = await parts.exec(program, args, { signal, deadlineMs: 20_000 });
  const text = `${result.stdout}\n${result.stderr}`;
  const version = /\d+(\.\d+)+/.exec(text)?.[0];
  const install = `apt-get install --reinstall ${packages[program] ?? program}`;
  if (result.exitCode !== 0 || version === undefined)
    return failed(`${program} does not start: ${lastLine(text)}`, install);
  const isCeph = text.includes('ceph version');
  if (isCeph && Number(version.split('.')[0]) < oldestCeph)
    return warning(
      `${program} ${version} is older than any that was tried`,
      `use Ceph ${oldestCeph} or newer`,
    );
  return ok(`${program} ${version}`);
}
