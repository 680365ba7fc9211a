import type { Command } from '../../cli/command.js';
import { openRepository, resticOf } from '../shared/repository.js';
import { outageOf } from './outage.js';
import type { RunValues } from './options.js';

/** `run`: restic starts to open the repository, which takes longest, before the rest of the program is loaded. */
export const startRun: Command<RunValues> = async (context) => {
  if (context.options.dryRun === true) return (await import('../list/list.js')).list(context);
  const started = context.clock();
  const restic = resticOf(context);
  const repository = openRepository(restic, context.signal, outageOf(context.options.patience));
  try {
    const { run } = await import('./run.js');
    return await run(context, { started, restic, repository });
  } catch (thrown) {
    const other = await repository.abandon(thrown);
    // Of two failures at the start, a wrong configuration is the one to tell.
    throw other?.kind === 'usage' ? other : thrown;
  }
};
