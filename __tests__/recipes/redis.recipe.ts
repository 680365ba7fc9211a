import { describe, expect, test } from '@jest/globals';
import { Client } from '../../sandbox/recipes/client.js';
import type { Container } from '../../sandbox/recipes/container.js';
import { annotationsOf } from '../../sandbox/recipes/document.js';
import { lost, Rehearsal, type Backup } from './rehearsal.js';

const places = [{ claim: 'redis', at: '/data', owner: 'redis' }];

function serve(container: Container, log: string[]) {
  const argv = ['redis-server', '--dir', '/data', '--logfile', '/tmp/redis.log', ...log];
  return container.server(argv, 'redis', ['redis-cli', 'ping']);
}

async function writerOf(container: Container, log: string[]) {
  await serve(container, log);
  const client = new Client([...container.enter('redis'), 'redis-cli']);
  return async (count: number) => {
    expect(await client.ask(`SET ${count} x`)).toBe('OK');
  };
}

async function lostIn(rehearsal: Rehearsal, backup: Backup, log: string[]): Promise<number[]> {
  const restored = await rehearsal.restore();
  await serve(restored, log);
  return lost(backup, (await restored.run('redis-cli', ['--raw', 'KEYS', '*'])).split('\n').filter(Boolean));
}

test('an append-only file that is written through needs no hook', async () => {
  const log = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const rehearsal = await Rehearsal.create('redis-always', { places });
  const write = await writerOf(rehearsal.container, log);
  expect(await lostIn(rehearsal, await rehearsal.backUp(write), log)).toEqual([]);
});

describe.each([
  ['snapshots of its own', []],
  ['an append-only file that is written through each second', ['--appendonly', 'yes']],
])('%s', (_, log) => {
  test('loses nothing with the hook; without it, what was not on the disk yet', async () => {
    const rehearsal = await Rehearsal.create('redis', { places, annotations: annotationsOf('redis') });
    const write = await writerOf(rehearsal.container, log);
    if (log.length === 0) {
      const backup = await rehearsal.backUp(write);
      expect(await lostIn(rehearsal, backup, log)).not.toEqual([]);
    }
    const backup = await rehearsal.backUp(write, { hooks: true });
    expect(backup.heldSeconds).toBeGreaterThan(0);
    expect(await lostIn(rehearsal, backup, log)).toEqual([]);
  });
});
