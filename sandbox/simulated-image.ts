import path from 'node:path';
import { BlockingWriter } from '../lib/tools/process/stream.js';
import { checkout } from './checkout.js';
import { exportOf, replaceRbd } from './replaced-rbd.js';

/** An image that exists in Ceph, but whose content is made up while it is listed and exported. Sizes in bytes. */
export interface SimulatedImage {
  /** `POOL[/NAMESPACE]/IMAGE` */
  image: string;
  size: number;
  /** How many extents there are, at even distances. */
  extents: number;
  extentSize: number;
}

/** A folder with an `rbd` that knows the image; to be put first on PATH. */
export function simulateImage(folder: string, image: SimulatedImage): string {
  const { size, extents, extentSize } = image;
  const simulate = (what: string) =>
    `exec '${process.execPath}' '${program}' ${what} ${size} ${extents} ${extentSize} "\${@: -2:1}"`;
  return replaceRbd(folder, [
    // What changed since another snapshot is nothing, as Ceph says.
    ["*' --from-snap '*", 'exec "$real" "$@"'],
    [exportOf(image.image), simulate('export-diff')],
    [`*' diff '*'${image.image}@'*`, simulate('diff')],
  ]);
}

/** This module, compiled: tests load it as it is. */
const program = path.join(checkout, 'dist/sandbox/simulated-image.js');

const output = new BlockingWriter(1);

/** As `rbd diff --format json` prints it. */
function list(size: number, extents: number, extentSize: number): void {
  output.write(Buffer.from('['));
  for (let i = 0; i < extents; i++) {
    const offset = i * Math.floor(size / extents);
    const entry = `{"offset":${offset},"length":${extentSize},"exists":"true"}`;
    output.write(Buffer.from(i === 0 ? entry : `,${entry}`));
  }
  output.write(Buffer.from(']\n'));
}

/** As `rbd export-diff` writes it; format: doc/dev/rbd-diff.rst of Ceph. */
function exportAll(size: number, extents: number, extentSize: number, snapshot: string): void {
  const name = Buffer.from(snapshot.slice(snapshot.indexOf('@') + 1));
  const head = Buffer.alloc(5);
  head.write('t');
  head.writeUInt32LE(name.length, 1);
  const end = Buffer.alloc(9);
  end.write('s');
  end.writeBigUInt64LE(BigInt(size), 1);
  output.write(Buffer.concat([Buffer.from('rbd diff v1\n'), head, name, end]));
  const record = Buffer.alloc(17 + extentSize, 'data');
  record.write('w');
  record.writeBigUInt64LE(BigInt(extentSize), 9);
  for (let i = 0; i < extents; i++) {
    record.writeBigUInt64LE(BigInt(i * Math.floor(size / extents)), 1);
    output.write(record);
  }
  output.write(Buffer.from('e'));
}

if (process.argv[1] === program) {
  const [what, size, extents, extentSize, snapshot = ''] = process.argv.slice(2);
  const numbers = [Number(size), Number(extents), Number(extentSize)] as const;
  if (what === 'diff') list(...numbers);
  else exportAll(...numbers, snapshot);
  output.flush();
}
