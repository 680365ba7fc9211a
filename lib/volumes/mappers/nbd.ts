import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import { formatImage } from '../../tools/rbd.js';
import type { Mapper, MapperTools } from './mapper.js';

const mapWithin = 60_000;

/** The kernel's network block device with librbd behind it; rbd-nbd stays in the foreground, so it dies with us. */
export function nbd({ startDaemon, env }: MapperTools): Mapper {
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
      scope.add({ kind: 'mapping', name: formatImage(image), cluster }, () => daemon.stop());
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
        const device = await Promise.race([mapped, failed, late]);
        return {
          path: device,
          loop: false,
          isBelow: async (majorMinor) =>
            daemon.alive() &&
            (await readFile(`/sys/block/${path.basename(device)}/dev`, 'utf8')).trim() === majorMinor,
        };
      } finally {
        clearTimeout(timer);
        failed.catch(() => undefined);
      }
    },
  };
}
