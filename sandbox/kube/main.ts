import { startKube } from './index.js';

// A Kubernetes API as a process of its own: `node dist/sandbox/kube/main.js DIR` prints one line of JSON once it is
// ready, and ends, with all that belongs to it, on SIGTERM or SIGINT.
const dir = process.argv[2];
if (dir === undefined) throw new Error('usage: main.js DIR');
const kube = await startKube({ dir });
const { url, kubeconfig, real } = kube;
process.stdout.write(`${JSON.stringify({ url, kubeconfig, real, pid: process.pid })}\n`);
// The daemons below do not keep this process alive.
setInterval(() => undefined, 60_000);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    void kube.stop().then(() => process.exit(0));
  });
}
