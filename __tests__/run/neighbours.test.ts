import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Fault } from '../support/faults.js';
import { Scenario, type Report, type SeededClaim } from '../support/scenario.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
/** Never backed up, and first by its name: begun first, with the number 1. */
let unlucky: SeededClaim;
let neighbours: SeededClaim[];
const ofUnlucky = (command: string) => `*${command}*cephbackup-*-1`;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  const fill = (root: string) => writeFile(path.join(root, 'f'), 'data');
  unlucky = await scenario.claim('a', { fill });
  neighbours = [await scenario.claim('b', { fill }), await scenario.claim('c', { fill })];
});

async function runTogether(faults: Fault[], args: string[] = []): Promise<Report> {
  const before = await scenario.world();
  const report = await scenario.run({ faults, args: ['--concurrency', '4', ...args] });
  // A program that is killed because it hangs keeps its watch for a while.
  await expectCleanWorld(before, scenario.worldScope, 40_000);
  return report;
}

/** The unlucky one failed and is not marked; the others were backed up as if they were alone. */
async function expectOneFailure(report: Report, code: string): Promise<void> {
  expect(report.code).toBe(1);
  expect(report.leftovers).toEqual([]);
  expect(report.volume(unlucky)).toMatchObject({ outcome: 'failed', snapshot: null, error: { code } });
  const marks = await scenario.annotations(unlucky);
  expect(marks).toMatchObject({ 'last-error': code });
  expect(marks).not.toHaveProperty('last-backup');
  for (const neighbour of neighbours) {
    const { error, snapshot } = report.volume(neighbour);
    expect(error).toBeNull();
    expect(await scenario.annotations(neighbour)).toMatchObject({ 'last-snapshot': snapshot });
  }
}

describe('four at a time, one volume’s fault touches that volume alone', () => {
  test.each<[string, Fault, string]>([
    [
      'its clone fails',
      { program: 'rbd', when: ofUnlucky('clone '), mode: 'fail', exitCode: 5 },
      'CLONE_FAILED',
    ],
    [
      'its check fails',
      { program: 'e2fsck', when: ofUnlucky(''), mode: 'fail', exitCode: 4 },
      'FILESYSTEM_CORRUPT',
    ],
    [
      'its restic fails',
      { program: 'restic', when: 'backup*pvc=a,*', mode: 'fail', exitCode: 1 },
      'RESTIC_FAILED',
    ],
  ])('%s', async (_, fault, code) => {
    await expectOneFailure(await runTogether([fault]), code);
  });

  test('its check hangs, and ends at the volume’s deadline', async () => {
    const hang = { program: 'e2fsck', when: ofUnlucky(''), mode: 'hang' as const };
    await expectOneFailure(await runTogether([hang], ['--volume-timeout', '15s']), 'VOLUME_TIMEOUT');
  });
});

test('SIGTERM while volumes are in different phases: all are unwound, none is marked, no lock is left', async () => {
  const before = await scenario.world();
  const marks = await Promise.all(neighbours.map((claim) => scenario.annotations(claim)));
  const running = scenario.start(['run', '-o', 'json'], {
    faults: [
      { program: 'e2fsck', when: ofUnlucky(''), mode: 'hang' },
      { program: 'restic', when: 'backup*pvc=b,*', mode: 'hang' },
      { program: 'rbd', when: `* clone *${neighbours[1]?.image ?? ''}@*`, mode: 'hang' },
    ],
  });
  await running.said('backing up');
  running.kill('SIGTERM');
  const { code, json, stderr } = await running.result;
  // What it was at is told where it did not end.
  expect([code, code === 143 ? '' : stderr]).toEqual([143, '']);
  expect(json).toMatchObject({ exitCode: 143, leftovers: [] });
  await expectCleanWorld(before, scenario.worldScope, 40_000);
  expect(await scenario.repository.locks()).toEqual([]);
  for (const [index, claim] of neighbours.entries()) {
    expect(await scenario.annotations(claim)).toMatchObject({
      'last-snapshot': marks[index]?.['last-snapshot'],
    });
  }
});
