import { rmSync, writeFileSync } from 'node:fs';
import { own, startTime } from './owner.js';
import { setStage } from './stage.js';
import { stateFile, type SandboxState } from './state.js';

/** The process behind `npm run sandbox -- up`: everything that it starts lives as long as it does. */
await own(async ({ folder }) => {
  const state: SandboxState = { pid: process.pid, started: startTime('self') ?? '', ready: null };
  // Fails if there is one: two of them never start side by side.
  writeFileSync(stateFile, JSON.stringify(state), { flag: 'wx', mode: 0o600 });
  process.once('exit', () => {
    rmSync(stateFile, { force: true });
  });
  const { cluster, kube, repository, env, workloads } = await setStage(folder, console.log);
  const claims = workloads.map(({ claim, title }) => `${claim.namespace}/${claim.name}: ${title}`);
  const summary = [
    `Ceph ${cluster.fsid} at ${cluster.monitors.join(',')}`,
    `Kubernetes API ${kube.url}${kube.real ? '' : ' (a stand-in)'}`,
    `restic repository ${repository.env.RESTIC_REPOSITORY}`,
    ...claims,
  ];
  writeFileSync(stateFile, JSON.stringify({ ...state, ready: { env, summary } } satisfies SandboxState));
  return new Promise(() => undefined);
});
