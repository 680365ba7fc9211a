import { CephbackupError } from '../../errors/error.js';
import { lastLine, type CommandOptions, type Exec, type NamespaceRef } from '../process/exec.js';

export type FormattableType = 'ext2' | 'ext3' | 'ext4' | 'xfs';

/** As ceph-csi formats a new volume (internal/rbd/nodeserver.go); nothing is discarded, because there is nothing. */
const ext = ['-q', '-F', '-m', '0', '-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1'];
const programs: Record<FormattableType, string[]> = {
  ext2: ['mkfs.ext2', ...ext],
  ext3: ['mkfs.ext3', ...ext],
  ext4: ['mkfs.ext4', ...ext],
  xfs: ['mkfs.xfs', '-q', '-K', '-f'],
};

/** Makes a filesystem on a device that holds nothing. @throws CephbackupError RESTORE_FAILED */
export async function makeFilesystem(
  exec: Exec,
  device: string,
  type: FormattableType,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<void> {
  const [program = '', ...args] = programs[type];
  const result = await exec(program, [...args, '--', device], { deadline: 3_600_000, ...options });
  if (result.exitCode === 0) return;
  const said = lastLine(result.stderr + result.stdout);
  throw new CephbackupError('RESTORE_FAILED', `${program}: exit code ${result.exitCode}: ${said}`);
}
