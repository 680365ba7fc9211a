import { spawn } from 'node:child_process';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { judgeWorld } from '../../sandbox/faults/judge.js';
import { observeNode } from '../../sandbox/world/node.js';
import { attachLoopDevice, end } from '../support/loop-device.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

test('a loop device that another program is at work with is not left; one that a program has left breaks the case', async () => {
  const [own, other] = await Promise.all([temporaryFolder('own'), temporaryFolder('other')]);
  const [left, foreign] = [await attachLoopDevice(own), await attachLoopDevice(other)];
  /** Which of the two; others have some, too. The files of what is unmounted have other paths. */
  const broken = async () => {
    const seen = await observeNode({ words: [], temporary: own });
    const judged = judgeWorld(new Set(), new Set(seen), { killed: true, told: [], target: null });
    return [left, foreign].filter(({ device }) =>
      judged.some((line) => line.startsWith(`I4: + loop device ${path.basename(device)} of `)),
    );
  };
  expect(await broken()).toEqual([left]);
  // Who looks into its namespace does not make it his.
  const inside = [`--mount=/proc/${left.program.pid ?? 0}/ns/mnt`, '--', 'sleep', 'infinity'];
  const looking = spawn('nsenter', inside, { stdio: 'ignore' });
  atEnd(() => end(looking));
  expect(await broken()).toEqual([left]);
  // With the programs their namespaces are gone, and all that was mounted there; the devices stay, and are nobody's.
  await Promise.all([looking, left.program, foreign.program].map(end));
  expect(await broken()).toEqual([left, foreign]);
  await Promise.all([left.detach(), foreign.detach()]);
});
