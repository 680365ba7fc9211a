import { expect, test } from '@jest/globals';
import type { Container } from '../../sandbox/recipes/container.js';
import { lost, Rehearsal } from './rehearsal.js';

const etcdctl = ['env', 'ETCDCTL_API=3', 'etcdctl'];

function serve(container: Container) {
  const argv = ['etcd', '--data-dir', '/data/etcd', '--logger', 'zap', '--log-level', 'warn'];
  return container.server(argv, 'root', [...etcdctl, 'endpoint', 'health']);
}

test('etcd writes through before it acknowledges, and needs no hook', async () => {
  const rehearsal = await Rehearsal.create('etcd', {
    places: [{ claim: 'etcd', at: '/data', owner: 'root' }],
  });
  const { container } = rehearsal;
  await serve(container);
  const backup = await rehearsal.backUp(async (count) => {
    expect(await container.run('env', ['ETCDCTL_API=3', 'etcdctl', 'put', String(count), 'x'])).toBe('OK\n');
  });
  const restored = await rehearsal.restore();
  await serve(restored);
  const keys = await restored.run('env', ['ETCDCTL_API=3', 'etcdctl', 'get', '', '--prefix', '--keys-only']);
  expect(lost(backup, keys.split('\n').filter(Boolean))).toEqual([]);
});
