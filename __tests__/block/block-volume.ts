import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import type { CephCluster } from '../../sandbox/ceph.js';
import { CephbackupError } from '../../lib/errors/error.js';
import { parseProducerError } from '../../lib/repository/producer-error.js';
import type { StreamSource } from '../../lib/repository/source.js';
import type { Prepared } from '../../sandbox/prepared-image.js';
import { banner, data, end, size, zeros } from './records.js';

export interface ProducerOptions {
  /** The folder of faulty programs, if there are any: a search path. */
  searchPath?: string;
  /** Its folder for temporary files. */
  temporary?: string;
}

/** Starts the producer of a prepared backup; its stdout is a pipe, or the file `to`. */
export function startProducer(
  { command }: StreamSource,
  to: number | 'pipe',
  { searchPath = process.env.PATH ?? '', temporary }: ProducerOptions = {},
): { child: ChildProcess; ended: Promise<{ code: number | null; stderr: string }> } {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    stdio: ['ignore', to, 'pipe'],
    env: { PATH: searchPath, ...(temporary === undefined ? {} : { TMPDIR: temporary }) },
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr }));
  return { child, ended };
}

/** Runs the producer of a prepared backup into a file. @throws CephbackupError as the producer reports it */
export async function produce(
  { source }: Prepared,
  folder: string,
  options?: ProducerOptions,
): Promise<string> {
  const file = path.join(folder, 'disk.qcow2');
  const descriptor = openSync(file, 'w');
  const { ended } = startProducer(source, descriptor, options);
  closeSync(descriptor);
  const { code, stderr } = await ended;
  if (code === 0) return file;
  throw producerError(stderr) ?? new Error(`exit code ${String(code)}: ${stderr}`);
}

export function producerError(stderr: string): CephbackupError | null {
  return (
    stderr
      .split('\n')
      .map(parseProducerError)
      .find((error) => error !== null) ?? null
  );
}

/** Writes to an image through librbd, with commands of qemu-io. */
export function qemuIo(cluster: CephCluster, image: string, ...commands: string[]): void {
  const args = commands.flatMap((command) => ['-c', command]);
  execFileSync('qemu-io', ['-f', 'raw', ...args, `rbd:${image}:conf=${cluster.conf}`], { stdio: 'pipe' });
}

/** Fills an image, which must exist, with these extents; null stands for zeros written. */
export function fill(
  cluster: CephCluster,
  image: string,
  bytes: number,
  extents: readonly { offset: number; data: Buffer }[],
): void {
  const records = extents.map(({ offset, data: content }) =>
    content.some((byte) => byte !== 0) ? data(offset, content) : zeros(offset, content.length),
  );
  const input = Buffer.concat([banner, size(bytes), ...records, end]);
  execFileSync('rbd', ['import-diff', '--no-progress', '-', image], {
    input,
    env: { ...process.env, ...cluster.env },
  });
}
