import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { resolveProgram } from '../../../lib/tools/process/launch.js';
import { searchPath } from '../../../sandbox/tools.js';
import type { SeededClaim } from '../../support/scenario.js';
import { temporaryFolder } from '../../support/temporary.js';
import { SegmentView } from '../../../lib/volumes/block/segments/view.js';
import { Rig } from './rig.js';

const mib = 1024 ** 2;

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.create();
});

/** A PATH with a restic that saves a disk, but says at its first try that its lock was lost; `then` comes before its second. */
async function lockLostOnce(then: string): Promise<string> {
  const folder = await temporaryFolder('restic');
  const first = path.join(folder, 'first');
  const script = `#!/bin/bash
real=${resolveProgram('restic', searchPath())}
if [[ " $* " == *" backup "*" -- . " ]]; then
  if [ ! -e ${first} ]; then
    "$real" "$@" >${first}
    echo 'Fatal: failed to refresh lock in time' >&2
    echo '{"message_type":"exit_error","code":1,"message":"Fatal: unable to save snapshot: context canceled"}' >&2
    exit 1
  fi
  saved=$(sed -n 's/.*"snapshot_id":"\\([0-9a-f]*\\)".*/\\1/p' ${first})
  ${then}
fi
exec "$real" "$@"
`;
  await writeFile(path.join(folder, 'restic'), script);
  await chmod(path.join(folder, 'restic'), 0o755);
  return `${folder}:${searchPath()}`;
}

async function written(namespace: string): Promise<SeededClaim> {
  const claim = await rig.disk(namespace, 32 * mib);
  rig.io(claim, 'write -P 1 0 9M', 'write -P 2 29M 1M');
  return claim;
}

test('what an earlier try of restic has read does not make a later one complete', async () => {
  const claim = await written('counted');
  // It takes everything from what the first try has saved, which is no backup, and reads nothing.
  const PATH = await lockLostOnce('set -- "${@/#--force/--parent=$saved}"');
  const report = await rig.run('counted', ['--keep-base'], { env: { PATH } });
  expect(report.volumes).toMatchObject([
    {
      outcome: 'failed',
      snapshot: null,
      error: {
        code: 'READ_INCOMPLETE',
        message: expect.stringContaining('4 changed segments were not read'),
      },
    },
  ]);
  expect(await rig.bases(claim)).toEqual([]);
});

test('a disk that is read once more is complete', async () => {
  const claim = await written('again');
  const PATH = await lockLostOnce(':');
  const report = await rig.run('again', ['--keep-base'], { env: { PATH } });
  expect(report.volumes).toMatchObject([{ outcome: 'succeeded', base: 'first', error: null }]);
  await rig.expectEqualToBase(claim, report.volumes[0]?.snapshot ?? '');
});

test('a part that was asked for twice stands for no other, nor does one that a reader before waited for', async () => {
  const segment = { index: 0, sizeBytes: 8 * mib, mtime: { seconds: 0, nanoseconds: 0 }, read: true };
  const facts = { sizeBytes: 8 * mib, segmentBytes: 8 * mib };
  const waiting: (() => void)[] = [];
  const image = () =>
    new Promise<Buffer[]>((resolve) =>
      waiting.push(() => {
        resolve([]);
      }),
    );
  const view = new SegmentView(facts, [segment], image, segment.mtime);
  const file = view.lookup(view.lookup(view.lookup(1, 'disk.d') ?? 0, '00000000') ?? 0, '00000000') ?? 0;
  const read = async (offset: number, length: number) => {
    const reading = view.read(file, offset, length);
    waiting.pop()?.();
    await reading;
  };
  await read(0, 4 * mib);
  await read(0, 4 * mib);
  expect(view.complete()).toEqual([]);
  await read(4 * mib, 4 * mib);
  expect(view.complete()).toEqual([0]);
  const late = view.read(file, 0, 8 * mib);
  view.begin();
  waiting.pop()?.();
  await late;
  expect(view.complete()).toEqual([]);
});
