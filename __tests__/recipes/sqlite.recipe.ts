import { expect, test } from '@jest/globals';
import { Client } from '../../sandbox/recipes/client.js';
import { annotationsOf } from '../../sandbox/recipes/document.js';
import { lost, numbersIn, Rehearsal, type Backup } from './rehearsal.js';

const file = '/data/app.db';

/** @param journal a setting of the file's @param settings of the connection, which print nothing */
async function writerOf({ container }: Rehearsal, journal: string, settings = '') {
  await container.run('sqlite3', [file, `${journal} CREATE TABLE t (n INTEGER PRIMARY KEY, x);`]);
  const client = new Client([...container.enter(), 'sqlite3', '-batch', file]);
  await client.ask(`.timeout 60000\n${settings}\nSELECT 'ready';`);
  return async (count: number) => {
    const answer = await client.ask(`INSERT INTO t VALUES (${count}, randomblob(100)); SELECT ${count};`);
    expect(answer).toBe(String(count));
  };
}

/** A database that is broken has lost all. */
async function lostIn(rehearsal: Rehearsal, backup: Backup): Promise<number[]> {
  const restored = await rehearsal.restore();
  const { stdout } = await restored.attempt('sqlite3', [file, 'PRAGMA integrity_check; SELECT n FROM t;']);
  return lost(backup, stdout.startsWith('ok\n') ? numbersIn(stdout) : []);
}

const places = [{ claim: 'sqlite', at: '/data', owner: 'root' }];

test.each(['', 'PRAGMA journal_mode=wal;'])('what is written through needs no hook: %j', async (journal) => {
  const rehearsal = await Rehearsal.create('sqlite', { places });
  const write = await writerOf(rehearsal, journal);
  expect(await lostIn(rehearsal, await rehearsal.backUp(write))).toEqual([]);
});

test('what is not written through needs the hook', async () => {
  const rehearsal = await Rehearsal.create('sqlite-fast', { places, annotations: annotationsOf('sqlite') });
  const write = await writerOf(rehearsal, '', 'PRAGMA synchronous=OFF;');
  expect(await lostIn(rehearsal, await rehearsal.backUp(write))).not.toEqual([]);
  const backup = await rehearsal.backUp(write, { hooks: true });
  expect(backup.heldSeconds).toBeGreaterThan(0);
  expect(await lostIn(rehearsal, backup)).toEqual([]);
});
