import { hasStatus } from '../../../kube/errors.js';
import { readLease } from '../../../kube/lease/acquire.js';
import { jobsWithoutPod } from '../../../kube/stuck-jobs.js';
import { leaseElsewhere } from '../../shared/lease-namespace.js';
import { failed, NotChecked, ok, warning, type Check } from '../check.js';
import { isAllowed, type Right } from './access.js';

/** The API answers, and takes the credentials. */
export const kubernetesApi: Check = {
  name: 'kubernetes-api',
  run: async (setup) => {
    try {
      const { server } = await setup.api();
      return ok(`${server} answers`);
    } catch (thrown) {
      if (thrown instanceof NotChecked) return failed(thrown.cause.message, thrown.cause.guidance);
      throw thrown;
    }
  },
};

interface NeededRight extends Right {
  /** What goes missing without it, where `run` goes on all the same. */
  optional?: string;
}

/** Exactly what `run` does with the API; the chart's roles grant the same. */
export function rightsOfRun(leaseNamespace: string, hooks = false): NeededRight[] {
  const noEvents = 'the owners of claims get no events';
  const lease = { group: 'coordination.k8s.io', resource: 'leases', namespace: leaseNamespace };
  return [
    { group: '', resource: 'namespaces', verb: 'list' },
    ...['get', 'list', 'patch'].map((verb) => ({ group: '', resource: 'persistentvolumes', verb })),
    ...['get', 'list'].map((verb) => ({ group: '', resource: 'persistentvolumeclaims', verb })),
    {
      group: 'storage.k8s.io',
      resource: 'storageclasses',
      verb: 'list',
      optional: 'storage classes are not saved with the backups',
    },
    ...['create', 'patch'].map((verb) => ({ group: '', resource: 'events', verb, optional: noEvents })),
    ...['get', 'create', 'update'].map((verb) => ({ ...lease, verb })),
    ...(hooks ? rightsOfHooks : []),
  ];
}

/** A WebSocket begins with GET; newer servers want `create` besides. */
const rightsOfHooks: readonly NeededRight[] = [
  { group: '', resource: 'pods', verb: 'list' },
  ...['get', 'create'].map((verb) => ({ group: '', resource: 'pods/exec', verb })),
];

/** The service account may do what `run` does. */
export const kubernetesPermissions: Check = {
  name: 'kubernetes-permissions',
  run: async (setup, signal) => {
    const api = await setup.api();
    const rights = rightsOfRun(await setup.leaseNamespace(), setup.parts.options.hooks === true);
    const answers = await Promise.all(
      rights.map(async (right) => ({ right, allowed: await isAllowed(api, right, { signal }) })),
    );
    const missing = answers.filter(({ allowed }) => !allowed).map(({ right }) => right);
    if (missing.length === 0) return ok(`all ${rights.length} that a run needs`);
    return missing.map(({ group, resource, verb, namespace, optional }) => {
      const role = namespace === undefined ? 'ClusterRole' : `Role in namespace ${namespace}`;
      const fix = `add to the ${role}: - {apiGroups: ["${group}"], resources: [${resource}], verbs: [${verb}]}`;
      const message = `may not ${verb} ${resource}`;
      return optional === undefined ? failed(message, fix) : warning(`${message}: ${optional}`, fix);
    });
  },
};

/** What nobody notices, and what `prune` refuses to work with. */
const toleratedSeconds = 30;
const refused = 300;

/** Backups are dated by this clock, and compared with the API's. */
export const kubernetesClock: Check = {
  name: 'clock-kubernetes',
  run: async (setup) => {
    const reading = (await setup.api()).clock();
    if (reading === null)
      return warning('the API tells no time', 'check the clock of this node with `date -u`');
    const off = reading.local - reading.server;
    // The server tells whole seconds.
    const seconds = Math.round((off < 0 ? off : Math.max(0, off - 1000)) / 1000);
    const message = `this clock is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} that of the API server`;
    const fix = 'synchronise both with the same time servers, e.g. `chronyc makestep`';
    if (Math.abs(seconds) > refused) return failed(message, fix);
    return Math.abs(seconds) > toleratedSeconds ? warning(message, fix) : ok(message);
  },
};

/** The lease can be had: its namespace exists, and no other run holds it. */
export const lease: Check = {
  name: 'lease',
  run: async (setup, signal) => {
    const namespace = await setup.leaseNamespace();
    const inventory = await setup.inventory();
    const { namespaces } = inventory;
    if (!namespaces.some(({ metadata }) => metadata?.name === namespace)) {
      return failed(
        `the namespace of the lease, ${namespace}, does not exist`,
        `kubectl create namespace ${namespace} (or pass --lease-namespace)`,
      );
    }
    const api = await setup.api();
    const cluster = { api, inventory, leaseNamespace: namespace };
    const elsewhere = await leaseElsewhere({ ...setup.parts, signal }, cluster);
    if (elsewhere !== null) return failed(elsewhere.message, elsewhere.guidance);
    try {
      const held = await readLease(api, namespace, { signal });
      if (held?.holder == null) return ok(`free, in namespace ${namespace}`);
      return warning(
        `held by ${held.holder}, renewed ${held.renewed ?? 'never'}: a run is in progress`,
        'wait until it ends; a run that was killed frees it after 60 seconds',
      );
    } catch (thrown) {
      // That the right is missing is told elsewhere.
      if (hasStatus(thrown, 403))
        return warning('not checked: it may not be read', 'grant the right to get leases');
      throw thrown;
    }
  },
};

/** Jobs of the chart get pods. What refuses them (Pod Security, quotas) tells nobody but the Job's events. */
export const jobs: Check = {
  name: 'jobs',
  run: async (setup, signal) => {
    const found = await jobsWithoutPod(await setup.api(), setup.parts.clock(), { signal });
    if (found === null) return ok('not looked at: this account may not list Jobs');
    if (found.length === 0) return ok('none of the chart waits for a pod');
    const fix =
      'where it says `violates PodSecurity`: kubectl label namespace NAMESPACE --overwrite pod-security.kubernetes.io/enforce=privileged; on OpenShift: openshift.scc=true';
    return found.map((message) => failed(message, fix));
  },
};
