import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { Bed } from '../../sandbox/faults/bed.js';
import { casesOf, shuffled } from '../../sandbox/faults/matrix.js';
import { Replay } from '../../sandbox/faults/replay.js';
import { subjects } from '../../sandbox/faults/subjects.js';
import { ceph } from '../support/ceph.js';
import { temporaryFolder } from '../support/temporary.js';

/** `npm run test:faults` tries all of it; here, another part each time. */
const seed = process.env.FAULTS_SEED ?? randomBytes(4).toString('hex');
const budgetMs = 40_000;

test(`a part of the matrix of faults (FAULTS_SEED=${seed})`, async () => {
  const began = performance.now();
  const [subject] = shuffled(subjects, ({ name }) => name, seed);
  if (subject === undefined) throw new Error('no subject');
  const bed = await Bed.create(await ceph(), path.join(await temporaryFolder('faults'), 'bed'));
  try {
    const replay = await Replay.create(bed, subject);
    const cases = shuffled(casesOf(subject, replay.calls, seed), ({ id }) => id, seed);
    const told: string[] = [];
    for (const one of cases.filter(({ mode }) => mode.command !== 'hang')) {
      const { outcome, problems, ended, stderr } = await replay.run(one);
      told.push(`${outcome} (${ended}) ${one.id}`);
      if (problems.length > 0)
        throw new Error(`FAULTS_SEED=${seed}: ${one.id}\n${problems.join('\n')}\n\n${stderr}`);
      if (performance.now() - began > budgetMs) break;
    }
    console.log(`FAULTS_SEED=${seed}\n${told.join('\n')}`);
    expect(told.length).toBeGreaterThan(0);
  } finally {
    await bed.stop();
  }
});
