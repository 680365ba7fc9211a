import type { Values } from '../cli/options.js';
import type { volumeOptions } from '../cli/options.js';
import { CephbackupError } from '../errors/error.js';
import { resticEnvironment } from '../tools/environment.js';
import { Restic } from '../tools/restic.js';
import type { CommandContext } from './context.js';

type LimitValues = Pick<Values<typeof volumeOptions>, 'limitUpload' | 'limitDownload'>;

export function resticOf({ options, env, exec }: CommandContext<LimitValues>): Restic {
  const limits = { upload: options.limitUpload, download: options.limitDownload };
  return new Restic(exec, resticEnvironment(env), limits);
}

/** The oldest restic with exit codes for what can go wrong, and `--stdin-from-command`. */
const oldest = [0, 17] as const;

/** @throws CephbackupError RESTIC_TOO_OLD */
export async function requireRestic(restic: Restic, signal: AbortSignal): Promise<void> {
  const [major, minor, patch] = await restic.version({ signal });
  if (major > oldest[0] || minor >= oldest[1]) return;
  const message = `restic ${major}.${minor}.${patch} is too old: ${oldest.join('.')} or newer is required`;
  throw new CephbackupError('RESTIC_TOO_OLD', message);
}

/** All snapshots of the repository. @throws CephbackupError RESTIC_TOO_OLD, REPOSITORY_… */
export async function surveyRepository(context: CommandContext<LimitValues>) {
  const restic = resticOf(context);
  const options = { signal: context.signal };
  const [survey] = await Promise.all([restic.survey(options), requireRestic(restic, context.signal)]);
  return survey;
}
