import { expect, test } from '@jest/globals';
import { restoreFiles } from '../../lib/restore/files/restic-files.js';
import type { RestoreJob } from '../../lib/restore/job.js';

/** A job whose restic prints these errors of files, and fails. */
function jobWith(errors: readonly string[]): { job: RestoreJob; warnings: string[] } {
  const warnings: string[] = [];
  const restore = (_: readonly string[], { onStdoutLine }: { onStdoutLine: (line: string) => void }) => {
    for (const message of errors) {
      onStdoutLine(
        JSON.stringify({ message_type: 'error', error: { message }, during: 'restore', item: '/f' }),
      );
    }
    return Promise.resolve({ exitCode: 1, stdout: '', stderr: '' });
  };
  const parts = { restic: { restore }, backup: { id: 'x' }, warn: (text: string) => warnings.push(text) };
  const quiet = { step: () => undefined, moved: () => undefined };
  return { job: { ...parts, ...quiet } as unknown as RestoreJob, warnings };
}

// As restic 0.19.1 says it, of a file with `trusted.t` and without CAP_SYS_ADMIN.
const refused = 'xattr.LSet /target/f trusted.t: operation not permitted';

test('where attributes alone may not be set, the error says so and how to do without them', async () => {
  const { job, warnings } = jobWith([refused]);
  await expect(restoreFiles(job, { namespace: null, path: '/target' }, null)).rejects.toMatchObject({
    code: 'RESTORE_FAILED',
    guidance: expect.stringContaining('--exclude-xattr'),
  });
  expect(warnings).toEqual([`not restored: ${refused}`]);
});

test.each([['lchown /target/g: operation not permitted'], ['UtimesNano: operation not permitted']])(
  'an error of another kind beside it is not played down: %s',
  async (other) => {
    const { job } = jobWith([refused, other]);
    await expect(restoreFiles(job, { namespace: null, path: '/target' }, null)).rejects.toMatchObject({
      code: 'RESTORE_FAILED',
      guidance: expect.not.stringContaining('--exclude-xattr'),
    });
  },
);
