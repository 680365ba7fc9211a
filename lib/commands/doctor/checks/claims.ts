import { failed, NotChecked, ok, warning, type Check, type Finding } from '../check.js';
import { kindsOfVolumes } from '../setup.js';

/** The claims can be listed, and those that are to be backed up can be. */
export const claims: Check = {
  name: 'claims',
  run: async (setup) => {
    const { options, policy } = setup.parts;
    await setup.api();
    try {
      await setup.inventory();
    } catch (thrown) {
      if (thrown instanceof NotChecked) return failed(thrown.cause.message, thrown.cause.guidance);
      throw thrown;
    }
    const { volumes, warnings, selected } = await setup.plan();
    if (selected === 0 && options.allowEmpty !== true) {
      return failed(
        'no claim is selected for backup',
        'see `cephbackup list` for the reasons, or pass --allow-empty',
      );
    }
    const findings: Finding[] = volumes.flatMap(({ namespace, pvc, reason, details }) => {
      const optOut = `kubectl annotate pvc -n ${namespace} ${pvc} ${policy.prefix}/backup=false`;
      const name = `${namespace}/${pvc}`;
      if (reason === 'unsupported')
        return failed(`${name} cannot be backed up: ${details?.unsupported ?? ''}`, optOut);
      if (reason === 'host-collision')
        return failed(`${name} has the same name in the repository as another claim`, optOut);
      return [];
    });
    const told = warnings.filter((line) => !line.includes('it cannot be backed up'));
    findings.push(...told.map((line) => warning(line, 'see `cephbackup list`')));
    const usable = await setup.volumes(...kindsOfVolumes);
    return [ok(`${selected} selected, ${usable.length} of them in this run`), ...findings];
  },
};

/** Filesystems that this program mounts. */
const mounted = new Set(['ext2', 'ext3', 'ext4', 'xfs']);

/** The filesystems that PersistentVolumes name are known. */
export const filesystems: Check = {
  name: 'filesystems',
  run: async (setup) => {
    const volumes = await setup.volumes('rbd-filesystem');
    const odd = volumes.filter(({ details }) => !mounted.has(details?.fsType ?? 'ext4'));
    if (odd.length === 0) return ok('all that PersistentVolumes name can be mounted');
    return odd.map(({ namespace, pvc, pv, details }) =>
      failed(
        `${namespace}/${pvc} has the filesystem ${JSON.stringify(details?.fsType)}, which is not mounted`,
        `kubectl annotate pv ${pv ?? ''} ${setup.parts.policy.prefix}/mode=image`,
      ),
    );
  },
};
