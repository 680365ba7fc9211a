import { beforeEach, describe, expect, test } from '@jest/globals';
import { clusterRecorder } from '../../lib/commands/run/recorder.js';
import { CephbackupError } from '../../lib/errors/error.js';
import { persistentVolumePath } from '../../lib/kube/paths.js';
import { silent } from '../../lib/log/logger.js';
import type { PlannedVolume } from '../../lib/plan/types.js';
import type { SeenRequest } from '../../sandbox/kube/index.js';
import { kubeContext } from '../support/kube/context.js';
import { seedClaim } from '../support/kube/objects.js';

const context = kubeContext(false);
const prefix = 'backup.example.org';
const failure = { attempt: 0, error: new CephbackupError('HOST_COLLISION', 'two of one name') };
const patches = ({ method, resource }: SeenRequest) => method === 'PATCH' && resource === 'persistentvolumes';

function faults() {
  if (context.kube.faults === null) throw new Error('only the stand-in can fail on purpose');
  return context.kube.faults;
}

async function recorderOf(
  claim: string,
  stopping: AbortSignal,
  patience?: { runningMs: number; stoppedMs: number },
) {
  const { uid } = await seedClaim(context.kube, 'recorder', claim);
  const api = await context.connect();
  const volume = { namespace: 'recorder', pvc: claim, pv: `pv-${claim}`, uid } as PlannedVolume;
  const own = { api, prefix, runId: 'r', log: silent, clock: () => 0, stopping };
  const recorder = clusterRecorder(patience === undefined ? own : { ...own, patience });
  const marks = async () => (await api.get(persistentVolumePath(volume.pv ?? ''))).metadata?.annotations;
  return { failed: () => recorder.failed(volume, failure), marks };
}

beforeEach(() => {
  faults().clear();
});

describe('a failure', () => {
  test('is marked although the API was away for a while', async () => {
    const { failed, marks } = await recorderOf('away', new AbortController().signal);
    faults().inject({ mode: 503, matches: patches });
    const told = failed();
    setTimeout(() => {
      faults().clear();
    }, 12_000);
    await told;
    expect(await marks()).toMatchObject({ [`${prefix}/last-error`]: 'HOST_COLLISION' });
  });

  test.each(['before', 'meanwhile'])(
    'is not waited for any more once the run was told to end: %s',
    async (when) => {
      const stopping = new AbortController();
      const patience = { runningMs: 3_600_000, stoppedMs: 300 };
      const { failed, marks } = await recorderOf(when, stopping.signal, patience);
      faults().inject({ mode: 503, matches: patches });
      if (when === 'before') stopping.abort();
      const told = failed();
      setTimeout(() => {
        stopping.abort();
      }, 500);
      await told;
      expect(await marks()).toBeUndefined();
    },
    60_000,
  );
});
