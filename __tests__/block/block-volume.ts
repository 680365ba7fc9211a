import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { cephbackupProgram } from '../../sandbox/tools.js';
import type { CephCluster } from '../../sandbox/ceph.js';
import { CephbackupError } from '../../lib/errors/error.js';
import type { PlannedVolume } from '../../lib/plan/types.js';
import { silent } from '../../lib/report/logger.js';
import { Redactor } from '../../lib/report/redactor.js';
import { Scope } from '../../lib/run/scope.js';
import { childEnvironment } from '../../lib/tools/environment.js';
import { createExec } from '../../lib/tools/exec.js';
import { imageSpec, Rbd } from '../../lib/tools/rbd.js';
import { parseProducerError } from '../../lib/volumes/block/producer-error.js';
import type { StreamSource } from '../../lib/volumes/driver.js';
import { RbdBlockDriver } from '../../lib/volumes/rbd-block.js';
import { banner, data, end, size, zeros } from './records.js';

/** A prepared backup of one image: the snapshot is there, the producer not started. */
export interface Prepared {
  /** The snapshot's name. */
  name: string;
  source: StreamSource;
  scope: Scope;
}

let count = 0;

/** Prepares a backup of `POOL[/NAMESPACE]/IMAGE`, as a run would. */
export async function prepare(cluster: CephCluster, image: string): Promise<Prepared> {
  const env = { ...process.env };
  const exec = createExec({ env: childEnvironment(env), log: silent, redactor: new Redactor() });
  const rbd = new Rbd(exec, { conf: cluster.conf, user: null, keyring: null, monitors: null });
  const parts = image.split('/');
  const spec = imageSpec(parts[0] ?? '', parts.length === 3 ? (parts[1] ?? '') : null, parts.at(-1) ?? '');
  const driver = new RbdBlockDriver({
    locate: () => Promise.resolve({ rbd, image: spec, cluster: null }),
    producer: [process.execPath, cephbackupProgram, 'internal-export-image'],
    temporary: env.TMPDIR ?? '/tmp',
  });
  const scope = new Scope('node', silent);
  const name = `cephbackup-test-${process.pid}-${++count}`;
  const ignore = () => undefined;
  try {
    const source = await driver.prepare({
      volume: {} as PlannedVolume,
      name,
      scope,
      signal: new AbortController().signal,
      log: silent,
      step: ignore,
      warn: ignore,
      pointInTime: ignore,
    });
    return { name, source, scope };
  } catch (thrown) {
    await scope.release();
    throw thrown;
  }
}

export interface ProducerOptions {
  /** The folder of faulty programs, if there are any: a search path. */
  searchPath?: string;
}

/** Starts the producer of a prepared backup; its stdout is a pipe, or the file `to`. */
export function startProducer(
  { command }: StreamSource,
  to: number | 'pipe',
  { searchPath = process.env.PATH ?? '' }: ProducerOptions = {},
): { child: ChildProcess; ended: Promise<{ code: number | null; stderr: string }> } {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    stdio: ['ignore', to, 'pipe'],
    env: { PATH: searchPath },
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
