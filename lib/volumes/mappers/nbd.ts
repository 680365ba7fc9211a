import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import { lastLine, type Exec } from '../../tools/process/exec.js';
import { formatImage } from '../../tools/rbd/images.js';
import type { Mapper, MapperTools } from './mapper.js';

const mapWithin = 60_000;

/** The kernel's network block device with librbd behind it; rbd-nbd stays in the foreground, so it dies with us. */
export function nbd({ exec, startDaemon, env }: MapperTools): Mapper {
  return {
    async map({ image, rbd, scope, cluster }) {
      let announce: (device: string) => void = () => undefined;
      const mapped = new Promise<string>((resolve) => (announce = resolve));
      const daemon = startDaemon('rbd-nbd', rbd.argv(['--foreground', 'map', formatImage(image)]), {
        env,
        onLine: (line) => {
          if (line.startsWith('/dev/')) announce(line.trim());
        },
      });
      let device: string | null = null;
      scope.add({ kind: 'mapping', name: formatImage(image), cluster }, async () => {
        const unmapping = device === null || !daemon.alive() ? null : await unmap(exec, device);
        await daemon.stop();
        if (unmapping !== null) throw new CephbackupError('COMMAND_FAILED', `rbd-nbd unmap: ${unmapping}`);
      });
      const failed = daemon.ended.then((message) => {
        throw new CephbackupError('MAP_FAILED', `rbd-nbd map ${formatImage(image)}: ${message}`);
      });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        const error = new CephbackupError(
          'MAP_FAILED',
          `rbd-nbd map ${formatImage(image)}: no device within 60 s`,
        );
        timer = setTimeout(reject, mapWithin, error);
      });
      try {
        const path = await Promise.race([mapped, failed, late]);
        device = path;
        return {
          path,
          loop: false,
          isBelow: async (majorMinor) =>
            daemon.alive() &&
            (await readFile(`/sys/block/${basename(path)}/dev`, 'utf8')).trim() === majorMinor,
        };
      } finally {
        clearTimeout(timer);
        failed.catch(() => undefined);
      }
    },
  };
}

/** From Ceph 17 on the kernel keeps the device for another rbd-nbd where one just ends. Returns why it failed, or null. */
async function unmap(exec: Exec, device: string): Promise<string | null> {
  const { exitCode, stderr } = await exec('rbd-nbd', ['unmap', device], { deadline: 60_000 });
  return exitCode === 0 ? null : lastLine(stderr);
}
