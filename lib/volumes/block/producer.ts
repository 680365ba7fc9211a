import { CephbackupError, asCephbackupError } from '../../errors/error.js';
import { planLayout } from '../../qcow2/layout.js';
import { writeImage } from '../../qcow2/write.js';
import { childEnvironment, type Environment } from '../../tools/process/environment.js';
import {
  BlockingWriter,
  runBlocking,
  streamCommand,
  type StreamedCommand,
} from '../../tools/process/stream.js';
import { Coverage } from './coverage.js';
import { ExportDiffParser } from './export-diff.js';
import { readPlanFile, type ExportPlan } from './plan-file.js';
import { producerErrorLine } from '../../repository/producer-error.js';

/** For `rbd snap ls`. */
const snapListDeadlineMs = 60_000;

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
  const command = streamCommand('rbd', plan.exportArgs, env);
  const layout = planLayout({
    virtualSize: plan.sizeBytes,
    extents: plan.extents,
    clusterBits: plan.clusterBits,
  });
  const output = new BlockingWriter(stdout);
  try {
    await writeImage(layout, contents(command, plan), (bytes) => {
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
  const ending = await command.ended;
  if (ending !== 'exit code 0') throw new CephbackupError('COMMAND_FAILED', `rbd export-diff: ${ending}`);
  confirmSnapshot(plan, env);
}

/** The bytes of the planned extents, out of the stream of rbd. @throws CephbackupError EXPORT_INVALID */
async function* contents(command: StreamedCommand, plan: ExportPlan): AsyncGenerator<Buffer, void> {
  const parser = new ExportDiffParser();
  const coverage = new Coverage(plan);
  for (const chunk of command.chunks()) {
    for (const part of parser.push(chunk)) yield* coverage.bytesOf(part);
  }
  if (parser.ended) return;
  throw new CephbackupError(
    'EXPORT_INVALID',
    `the stream of rbd export-diff ends too early (${await command.ended})`,
  );
}

/** @throws CephbackupError SNAPSHOT_VANISHED where the name stands for nothing, or for another snapshot */
function confirmSnapshot(plan: ExportPlan, env: Environment): void {
  const listed = runBlocking('rbd', plan.snapListArgs, { env, deadlineMs: snapListDeadlineMs });
  const found = (JSON.parse(listed) as { id: number; name: string }[]).find(
    ({ name }) => name === plan.snapshot,
  );
  if (found?.id === plan.snapshotId) return;
  throw new CephbackupError(
    'SNAPSHOT_VANISHED',
    `the snapshot ${plan.snapshot} was removed while it was read`,
  );
}
