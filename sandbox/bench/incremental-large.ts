import path from 'node:path';
import type { RunReport } from '../../lib/run/report.js';
import type { Repository } from '../repository.js';
import { simulateImage } from '../simulated-image.js';
import { searchPath } from '../tools.js';
import { GiB, MiB } from './disk-contents.js';
import { atMost, information, type Bench } from './figure.js';
import { memoryOf, ownProcessesBelow, watch } from './memory.js';
import { measure } from './stopwatch.js';
import { TestBed, type Volume } from './test-bed.js';

const mostMegabytes = 150;
const features = ['layering', 'exclusive-lock', 'object-map', 'fast-diff'];

/** A disk of 1 TiB with 64 GiB in it, which is simulated: what it takes to list, plan and serve, first and unchanged. */
export const incrementalLarge: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const [size, segment] = [1024 * GiB, 16 * MiB];
    const extents = quick ? 256 : 4096;
    const options = features.flatMap((feature) => ['--image-feature', feature]);
    const volume = await bed.disk('disk', size, options);
    const simulated = { image: volume.image, size, extents, extentSize: segment };
    const bin = simulateImage(path.join(folder, 'simulated'), simulated);
    const large = { bed, volume, repository: await bed.repository(), bin };
    const name = `1 TiB with ${(extents * segment) / GiB} GiB of zeros`;
    tell(`${name}, new`);
    const first = await observed(large);
    tell(`${name}, unchanged`);
    const second = await observed(large);
    const [one = null, other = null] = [first.report.volumes[0], second.report.volumes[0]];
    // A piece of the device that was read ahead too early is read twice.
    const all = (one?.bytesRead ?? 0) >= extents * segment;
    const right = all && other?.bytesRead === 0 && other.base === 'used';
    if (!right) throw new Error(`not what was to be measured: ${JSON.stringify([one, other])}`);
    return {
      figures: [
        atMost(`${name}, new: memory of the program`, first.program, mostMegabytes, 'MB'),
        atMost(`${name}, new: memory of the view`, first.view, mostMegabytes, 'MB'),
        atMost(`${name}, unchanged: memory of the program`, second.program, mostMegabytes, 'MB'),
        atMost(`${name}, unchanged: memory of the view`, second.view, mostMegabytes, 'MB'),
        information(`${name}, new, wall`, first.seconds, 's'),
        information(`${name}, unchanged, wall`, second.seconds, 's'),
      ],
      notes: [],
    };
  } finally {
    await bed.stop();
  }
};

interface Large {
  bed: TestBed;
  volume: Volume;
  repository: Repository;
  /** With an `rbd` that makes up what the disk contains. */
  bin: string;
}

/** A run, and the most megabytes that each of its own processes ever takes. */
async function observed({ bed, volume, repository, bin }: Large) {
  const started = bed.start({
    repository,
    volumes: [volume],
    args: ['--keep-base'],
    searchPath: `${bin}:${searchPath()}`,
  });
  const peak = { program: 0, view: 0 };
  const { result, seconds } = await measure(() =>
    watch(started, 50, async (memory) => {
      peak.program = Math.max(peak.program, memory.peak);
      for (const pid of await ownProcessesBelow(started.pid, 'internal-serve-view'))
        peak.view = Math.max(peak.view, (await memoryOf(pid))?.peak ?? 0);
    }),
  );
  if (result.code !== 0) throw new Error(`cephbackup run: ${String(result.code)}\n${result.stderr}`);
  if (peak.view === 0) throw new Error('the view was not seen');
  return { ...peak, seconds, report: result.json as RunReport };
}
