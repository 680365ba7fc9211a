import type { Command, CommandContext } from '../../cli/command.js';
import type { Values } from '../../cli/options.js';
import { CephbackupError } from '../../errors/error.js';
import type { Inventory } from '../../kube/types.js';
import type { ClaimFacts, PageData } from '../../page/data.js';
import { pageOf } from '../../page/page.js';
import { parseTime } from '../../plan/last-backup.js';
import { surveyStatus } from '../shared/status.js';
import type { reportOptions } from './options.js';
import { pageRepository } from './repository.js';
import { writeWhole } from './write.js';

export type ReportContext = CommandContext<Values<typeof reportOptions>>;

/** A night's backup, and two hours for it. */
const defaultMaxAgeMs = 26 * 3_600_000;

/** Writes one page on what is backed up: what `status` says, and all that the repository holds. */
export const report: Command<Values<typeof reportOptions>> = async (context) => {
  const { options, operands, log } = context;
  const [file = '-'] = operands;
  if (file === '-' && options.output === 'json') {
    const message = 'the page and the JSON would both go to stdout: name a file for the page';
    throw new CephbackupError('USAGE', message);
  }
  const found = await surveyStatus(context, options.maxAge ?? defaultMaxAgeMs);
  const { status, inventory, survey, now, cluster } = found;
  for (const warning of status.warnings) log.warn(warning);
  const data: PageData = {
    cluster,
    madeMs: now.getTime(),
    status,
    facts: factsOf(inventory),
    repository: survey === null ? null : pageRepository(context, { ...found, snapshots: survey.snapshots }),
  };
  const page = pageOf(data);
  if (file === '-') return { document: null, table: page, exitCode: 0 };
  await writeWhole(file, page);
  const { totals, warnings } = status;
  return {
    document: { file, sizeBytes: Buffer.byteLength(page), totals, warnings },
    table: `${file}: ${totals.ok} of ${totals.selected} to be backed up are ok\n`,
    exitCode: 0,
  };
};

function factsOf({ persistentVolumeClaims }: Inventory): Map<string, ClaimFacts> {
  return new Map(
    persistentVolumeClaims.map(({ metadata, spec }) => [
      metadata?.uid ?? '',
      {
        storageClass: typeof spec?.storageClassName === 'string' ? spec.storageClassName : null,
        createdMs: parseTime(metadata?.creationTimestamp ?? ''),
      },
    ]),
  );
}
