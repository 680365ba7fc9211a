import { beforeAll, describe, expect, test } from '@jest/globals';
import { leaseNamespaces } from '../../lib/kube/lease/elsewhere.js';
import { allCronJobsPath, allLeasesPath } from '../../lib/kube/paths.js';
import type { KubeObject } from '../../lib/kube/types.js';
import type { Rule } from '../../sandbox/kube/index.js';
import type { KubeContext } from '../support/kube/context.js';

const leases = (verbs: string[], namespace?: string): Rule => ({
  apiGroups: ['coordination.k8s.io'],
  resources: ['leases'],
  verbs,
  ...(namespace === undefined ? {} : { namespace }),
});
const cronJobs: Rule = { apiGroups: ['batch'], resources: ['cronjobs'], verbs: ['list'] };

export function elsewhereSuite(context: KubeContext): void {
  const places = ['ran-once', 'runs', 'never-ran', 'other-lease', 'nothing'];

  beforeAll(async () => {
    await context.kube.seed([
      ...places.map((name) => ({ kind: 'Namespace', metadata: { name } })),
      leaseIn('ran-once', 'cephbackup'),
      { ...leaseIn('runs', 'cephbackup'), spec: { holderIdentity: 'somebody' } } as KubeObject,
      leaseIn('other-lease', 'some-controller'),
      cronJobIn('never-ran', 'backup'),
      cronJobIn('other-lease', 'verify'),
    ]);
  });

  /** Other suites of this API have leases of their own. */
  const among = (found: string[]) => found.filter((namespace) => places.includes(namespace));

  describe("where backups have their lease, other than in a context's namespace", () => {
    test('is where a Lease of the name is, also a free one, and where the chart has a CronJob', async () => {
      const api = await context.connectAs('looks-everywhere', [leases(['list']), cronJobs]);
      const answer = await leaseNamespaces(api, places);
      expect(among(answer.found)).toEqual(['never-ran', 'ran-once', 'runs']);
      expect(among(answer.alive)).toEqual(['never-ran', 'runs']);
      expect(answer.everywhere).toBe(true);
    });

    test('who may only get them asks in each namespace', async () => {
      const api = await context.connectAs('gets', [leases(['get'])]);
      expect(await leaseNamespaces(api, places)).toEqual({
        found: ['ran-once', 'runs'],
        alive: ['ran-once', 'runs'],
        everywhere: true,
      });
    });

    test('who may look at some knows that this is not all', async () => {
      const api = await context.connectAs('gets-some', [leases(['get'], 'ran-once')]);
      expect(await leaseNamespaces(api, places)).toEqual({
        found: ['ran-once'],
        alive: ['ran-once'],
        everywhere: false,
      });
      const nobody = await context.connectAs('gets-none', []);
      expect(await leaseNamespaces(nobody, places)).toEqual({ found: [], alive: [], everywhere: false });
    });

    test('the paths are those of the API', async () => {
      for (const path of [allLeasesPath, allCronJobsPath]) {
        expect((await context.kube.request('GET', path)).status).toBe(200);
      }
    });
  });
}

function leaseIn(namespace: string, name: string): KubeObject {
  return { kind: 'Lease', metadata: { namespace, name } };
}

function cronJobIn(namespace: string, component: string): KubeObject {
  const container = { name: 'main', image: 'example.com/none' };
  const podTemplate = { spec: { restartPolicy: 'Never', containers: [container] } };
  return {
    kind: 'CronJob',
    metadata: {
      namespace,
      name: component,
      labels: { 'app.kubernetes.io/name': 'cephbackup', 'app.kubernetes.io/component': component },
    },
    spec: { schedule: '0 1 * * *', jobTemplate: { spec: { template: podTemplate } } },
  } as KubeObject;
}
