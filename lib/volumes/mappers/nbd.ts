import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import { startAnnouncing } from '../../tools/process/daemon.js';
import type { Exec } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';
import { formatImage } from '../../tools/rbd/image-spec.js';
import { unlessAborted } from '../../waiting/within.js';
import { cloneFeatures, type Mapper, type MapperTools } from './mapper.js';

const mapWithinMs = 60_000;

/** The kernel's network block device with librbd behind it; rbd-nbd stays in the foreground, so it dies with us. */
export function nbd({ exec, startDaemon, env }: MapperTools): Mapper {
  return {
    cloneFeatures: () => Promise.resolve(cloneFeatures),
    async map({ image, rbd, scope, cluster, signal }) {
      const shown = formatImage(image);
      const args = rbd.argv(['--foreground', 'map', shown]);
      const { daemon, announced } = startAnnouncing(startDaemon, 'rbd-nbd', args, {
        env,
        wanted: (line) => line.startsWith('/dev/'),
      });
      let device: string | null = null;
      scope.add({ kind: 'mapping', name: shown, cluster }, async () => {
        const unmapping = device === null || !daemon.alive() ? null : await unmap(exec, device);
        await daemon.stop();
        if (unmapping !== null) throw new CephbackupError('COMMAND_FAILED', `rbd-nbd unmap: ${unmapping}`);
      });
      const failed = (why: string) => new CephbackupError('MAP_FAILED', `rbd-nbd map ${shown}: ${why}`);
      const path = (await unlessAborted(announced(mapWithinMs, failed), signal)).trim();
      device = path;
      return {
        path,
        loop: false,
        isBelow: async (majorMinor) =>
          daemon.alive() &&
          (await readFile(`/sys/block/${basename(path)}/dev`, 'utf8')).trim() === majorMinor,
      };
    },
  };
}

/** From Ceph 17 on the kernel keeps the device for another rbd-nbd where one just ends. Returns why it failed, or null. */
async function unmap(exec: Exec, device: string): Promise<string | null> {
  const { exitCode, stderr } = await exec('rbd-nbd', ['unmap', device], { deadlineMs: 60_000 });
  return exitCode === 0 ? null : lastLine(stderr);
}
