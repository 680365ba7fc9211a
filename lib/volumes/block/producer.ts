import { setTimeout as sleep } from 'node:timers/promises';
import { CephbackupError, asCephbackupError } from '../../errors/error.js';
import { planLayout } from '../../qcow2/layout.js';
import { writeImage } from '../../qcow2/write.js';
import { childEnvironment, type Environment } from '../../tools/process/environment.js';
import {
  BlockingWriter,
  runBlockingPatiently,
  describeEnd,
  streamCommand,
  type StreamedCommand,
  type StreamEnd,
} from '../../tools/process/stream.js';
import { parseJsonObjects } from '../../tools/process/json.js';
import { passing } from '../../waiting/passing.js';
import { nextPause } from '../../waiting/persist.js';
import { Coverage } from './coverage.js';
import { ExportDiffParser } from './export-diff.js';
import { readPlanFile, type ExportPlan } from './plan-file.js';
import { stalled } from './standstill.js';
import { producerErrorLine } from '../../repository/producer-error.js';

/** For each `rbd snap ls`. */
const snapListDeadlineMs = 60_000;
/** restic waits for the end of the stream as long as it takes; hours of work are not given up for a monitor's election. */
const patience = { patienceMs: 120_000, intervalMs: 1_000, longestIntervalMs: 10_000 };

const stdout = 1;
const stderr = 2;

/**
 * The producer of a block volume's backup, run by restic (`--stdin-from-command`): writes the image of a snapshot to
 * stdout, as the plan file says. It succeeds only if everything that was planned came, the stream had its end, and the
 * snapshot is still the one it was: one that was removed meanwhile reads as zeros, without any error.
 *
 * Loads little and reads and writes with blocking calls, because it is on the way of every byte.
 *
 * @returns the exit code
 */
export async function exportImage(planFile: string, env: NodeJS.ProcessEnv): Promise<number> {
  try {
    await produce(readPlanFile(planFile), childEnvironment(env));
    return 0;
  } catch (thrown) {
    const line = Buffer.from(`${producerErrorLine(asCephbackupError(thrown))}\n`);
    const errors = new BlockingWriter(stderr);
    errors.write(line);
    errors.flush();
    return 1;
  }
}

async function produce(plan: ExportPlan, env: Environment): Promise<void> {
  const command = new Export(plan, env);
  const layout = planLayout({
    virtualSize: plan.sizeBytes,
    extents: plan.extents,
    clusterBits: plan.clusterBits,
  });
  const output = new BlockingWriter(stdout);
  try {
    await writeImage(layout, command.contents(), (bytes) => {
      output.write(bytes);
    });
  } catch (thrown) {
    // A snapshot that is gone explains every contradiction.
    if (asCephbackupError(thrown).code === 'EXPORT_INVALID') confirmSnapshot(plan, env);
    throw thrown;
  }
  output.flush();
  if (layout.length !== plan.length || output.total !== plan.length) {
    throw new CephbackupError('INTERNAL', `${output.total} bytes written where ${plan.length} were planned`);
  }
  const end = await command.ended();
  if (end.silent) throw stoodStill(plan, plan.extents.bytes);
  if (end.exitCode !== 0) throw new CephbackupError('COMMAND_FAILED', `rbd export-diff: ${describeEnd(end)}`);
  confirmSnapshot(plan, env);
}

/** `rbd export-diff`; begun again where it fails before it has given anything, by what passes by itself. */
class Export {
  #command: StreamedCommand;

  constructor(
    private readonly plan: ExportPlan,
    private readonly env: Environment,
  ) {
    this.#command = this.#begin();
  }

  ended(): Promise<StreamEnd> {
    return this.#command.ended();
  }

  /** The bytes of the planned extents, out of the stream of rbd. @throws CephbackupError EXPORT_INVALID */
  async *contents(): AsyncGenerator<Buffer, void> {
    const parser = new ExportDiffParser();
    const coverage = new Coverage(this.plan);
    const began = performance.now();
    for (let count = 1; ; count += 1) {
      let empty = true;
      for (const chunk of this.#command.chunks()) {
        empty = false;
        for (const part of parser.push(chunk)) yield* coverage.bytesOf(part);
      }
      if (parser.ended) return;
      const end = await this.ended();
      if (!empty || !mayPass(end, count, performance.now() - began)) {
        if (end.silent) throw stoodStill(this.plan, coverage.bytes);
        const message = `the stream of rbd export-diff ends too early (${describeEnd(end)})`;
        throw new CephbackupError('EXPORT_INVALID', message);
      }
      await sleep(nextPause(patience, count));
      this.#command = this.#begin();
    }
  }

  #begin(): StreamedCommand {
    const { exportArgs, silenceMs } = this.plan;
    return streamCommand('rbd', exportArgs, { env: this.env, silenceMs });
  }
}

/** @param count of attempts, all of which gave nothing */
function mayPass(end: StreamEnd, count: number, elapsedMs: number): boolean {
  if (end.silent) return count === 1;
  const passes = passing({ program: 'rbd', late: false, stderr: '', ...end });
  return passes !== null && count < (passes.most ?? Infinity) && elapsedMs <= patience.patienceMs;
}

function stoodStill({ silenceMs, extents }: ExportPlan, bytes: number): CephbackupError {
  return stalled('rbd export-diff', silenceMs, `after ${bytes} of ${extents.bytes} bytes; it was ended`);
}

/** @throws CephbackupError COMMAND_…; SNAPSHOT_VANISHED where the name stands for nothing, or for another snapshot */
function confirmSnapshot(plan: ExportPlan, env: Environment): void {
  const options = { env, deadlineMs: snapListDeadlineMs, patience };
  const listed = runBlockingPatiently('rbd', plan.snapListArgs, options);
  const found = parseJsonObjects(listed, 'rbd snap ls').find(({ name }) => name === plan.snapshot);
  if (found?.id === plan.snapshotId) return;
  throw new CephbackupError(
    'SNAPSHOT_VANISHED',
    `the snapshot ${plan.snapshot} was removed while it was read`,
  );
}
