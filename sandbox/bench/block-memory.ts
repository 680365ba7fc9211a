import path from 'node:path';
import { planLayout } from '../../lib/qcow2/index.js';
import { DiffParser } from '../../lib/volumes/block/diff.js';
import { simulateImage } from '../simulated-image.js';
import { searchPath } from '../tools.js';
import { atMost, information, type Bench, type Figure } from './figure.js';
import { KiB, MiB } from './disk-contents.js';
import { memoryOf, ownProcessesBelow, watch } from './memory.js';
import { TestBed } from './test-bed.js';

const TiB = 1024 ** 2 * MiB;

/** Memory and planning, for disks that are too large to be had here: rbd is simulated where it tells their content. */
export const blockMemory: Bench = async ({ folder, quick, tell }) => {
  const figures = planning();
  const bed = await TestBed.start(folder);
  try {
    const large = { size: 16 * TiB, extents: quick ? 5_000 : 100_000 };
    for (const { size, extents } of [{ size: MiB, extents: 1 }, large]) {
      const name = size === MiB ? '1 MiB' : `16 TiB, ${extents} extents`;
      tell(name);
      figures.push(...(await memory(bed, name, size, extents)));
    }
    return { figures, notes: [] };
  } finally {
    await bed.stop();
  }
};

function planning(): Figure[] {
  const count = 1_000_000;
  const entries = Array.from(
    { length: count },
    (_, i) => `{"offset":${i * 16 * MiB},"length":65536,"exists":"true"}`,
  );
  const text = Buffer.from(`[${entries.join(',')}]`);
  const began = performance.now();
  const parser = new DiffParser();
  for (let at = 0; at < text.length; at += 65_536) parser.push(text.subarray(at, at + 65_536));
  const extents = parser.end();
  const parsed = performance.now();
  const { length } = planLayout({ virtualSize: 16 * TiB, extents });
  const planned = performance.now();
  if (extents.count !== count || length < count * 65_536) throw new Error('not what was to be planned');
  return [
    atMost(`planning ${count} extents`, (planned - parsed) / 1000, 2, 's'),
    information('reading their list', (parsed - began) / 1000, 's'),
  ];
}

/** The most that the program and its producer ever take, while restic takes all they give. */
async function memory(bed: TestBed, name: string, size: number, extents: number): Promise<Figure[]> {
  const volume = await bed.disk(`disk-${extents}`, size, ['--image-feature', 'layering']);
  const folder = path.join(bed.folder, `simulated-${extents}`);
  const simulated = { image: volume.image, size, extents, extentSize: 4 * KiB };
  const running = bed.start({
    repository: await bed.repository(),
    volumes: [volume],
    searchPath: `${simulateImage(folder, simulated)}:${searchPath()}`,
  });
  const peak = { program: 0, producer: 0 };
  const { code, stderr } = await watch(running, 20, async (memory) => {
    peak.program = Math.max(peak.program, memory.peak);
    for (const pid of await ownProcessesBelow(running.pid, 'internal-export-image')) {
      peak.producer = Math.max(peak.producer, (await memoryOf(pid))?.peak ?? 0);
    }
  });
  if (code !== 0 || peak.producer === 0) throw new Error(`cephbackup run: ${String(code)}\n${stderr}`);
  return [
    atMost(`${name}: memory of the program`, peak.program, 120, 'MB'),
    atMost(`${name}: memory of its producer`, peak.producer, 120, 'MB'),
  ];
}
