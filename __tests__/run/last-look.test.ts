import { describe, expect, test } from '@jest/globals';
import { proveAndUnwind } from '../../lib/run/volume/prove.js';
import type { CommandResult, Exec } from '../../lib/tools/process/exec.js';
import type { ResticSnapshot } from '../../lib/tools/restic/snapshot.js';
import { endless, minuteMs, whereLimitsLet, type Lasting } from '../support/lasting.js';

const summary = { snapshotId: 'a'.repeat(64), filesProcessed: 3, directories: 1, bytesProcessed: 5 };
const saved: ResticSnapshot = {
  id: '',
  time: '2026-01-01T00:00:00Z',
  tree: 't',
  paths: ['/'],
  hostname: 'h',
  tags: [],
  summary: { filesProcessed: 3, directories: 1, bytesProcessed: 5 },
};
const soon: Lasting = { silentMs: 0, times: 1 };

/** What becomes of a backup that restic has saved, where the last looks at it go on for so long. */
async function prove({
  find = soon,
  read = soon,
  found = {},
}: {
  find?: Lasting;
  read?: Lasting;
  found?: Partial<CommandResult>;
}) {
  const strays: string[] = [];
  const exec: Exec = async (_, __, options) => {
    await Promise.resolve();
    return whereLimitsLet(find, options, { stdout: '.xxx', ...found });
  };
  const attempt = {
    tools: {
      exec,
      readBack: {
        readerFor: () => ({
          catSnapshot: async (__: string, { deadlineMs }: { deadlineMs: number }) => {
            await Promise.resolve();
            whereLimitsLet(read, { deadlineMs });
            return saved;
          },
        }),
      },
    },
    volume: { uid: 'u', host: 'h' },
    time: Date.parse(saved.time),
    excludes: [],
    futureBase: null,
    step: () => undefined,
    unwind: () => Promise.resolve([]),
    stray: (id: string) => strays.push(id),
  };
  const source = {
    type: 'directory',
    namespace: { pid: process.pid },
    path: '/volume',
    confirm: () => Promise.resolve(),
  };
  const prepared = { source, tags: [], rules: { patterns: [], caches: false, ifPresent: [] } };
  const proven = proveAndUnwind(attempt as never, prepared as never, summary as never);
  return {
    proven: await proven.then(
      ({ snapshot }) => snapshot.id,
      (thrown: unknown) => thrown,
    ),
    strays,
  };
}

const kept = { proven: summary.snapshotId, strays: [] };
const thrownAway = (code: string) => ({
  proven: expect.objectContaining({ code }) as unknown,
  strays: [summary.snapshotId],
});

describe('a backup that took hours is not thrown away because the last look at it takes long', () => {
  test('a directory of many million entries is counted as long as more of them come', async () => {
    expect(await prove({ find: { silentMs: 10 * minuteMs, times: 30 } })).toEqual(kept);
  });

  test('restic, which asks a repository that is away for 15 minutes, is let do so', async () => {
    expect(await prove({ read: { silentMs: 15 * minuteMs, times: 1 } })).toEqual(kept);
  });
});

describe('what hangs in the last look is ended, and what it could not prove is named', () => {
  test('the count of what is in the root', async () => {
    expect(await prove({ find: endless })).toEqual(thrownAway('COMMAND_TIMEOUT'));
  });

  test('restic', async () => {
    expect(await prove({ read: endless })).toEqual(thrownAway('COMMAND_TIMEOUT'));
  });
});

test('a count that fails is no count, whatever it has printed', async () => {
  expect(await prove({ found: { exitCode: 1, stderr: 'find: Input/output error' } })).toEqual(
    thrownAway('COMMAND_FAILED'),
  );
});
