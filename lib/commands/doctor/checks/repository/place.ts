import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PlannedVolume } from '../../../../plan/types.js';
import { ownPid } from '../../../../tools/process/own.js';
import { readMounts } from '../../../../tools/node/namespace.js';
import { kindsOfVolumes } from '../../setup.js';
import { ok, warning, type Check, type Finding } from '../../check.js';
import { cacheFolder } from '../../../../tools/restic/cache.js';

/** The backups do not lie in what is backed up. */
export const repositoryPlace: Check = {
  name: 'repository-place',
  run: async (setup) => {
    const { env, policy } = setup.parts;
    const location = await repositoryLocation(env);
    const { namespaces } = await setup.inventory();
    const volumes = await setup.volumes(...kindsOfVolumes);
    const known = new Set(namespaces.map(({ metadata }) => metadata?.name ?? ''));
    const findings: Finding[] = [];
    const inPod = (env.KUBERNETES_SERVICE_HOST ?? '') !== '';
    const own = inPod ? (await setup.api()).contextNamespace : null;
    const service = serviceOf(hostOf(location), known, own);
    if (service !== null) {
      const claims = volumes.filter(({ namespace }) => namespace === service.namespace);
      const backed = claims.length === 0 ? '' : `, whose claims are backed up, too (${some(claims)})`;
      const annotate = claims.map(({ namespace, pvc }) => optOut(namespace, pvc, policy.prefix)).slice(0, 1);
      findings.push(
        warning(
          `the repository is served by ${service.name} in namespace ${service.namespace} of this cluster${backed}: whoever loses the cluster loses the backups`,
          annotate[0] ?? 'keep a copy elsewhere, e.g. `restic copy`',
        ),
      );
    }
    for (const [what, folder] of [
      ['the repository', localPath(location)],
      ["restic's cache", cacheFolder(env)],
    ] as const) {
      const claim = folder === null ? null : await claimBelow(folder, volumes);
      if (claim === null) continue;
      const { namespace, pvc } = claim;
      const fix = optOut(namespace, pvc, policy.prefix);
      findings.push(warning(`${what} lies in a claim that is backed up: ${namespace}/${pvc}`, fix));
    }
    return findings.length === 0
      ? ok('no claim of this cluster holds it, as far as its name tells')
      : findings;
  },
};

function optOut(namespace: string, pvc: string, prefix: string): string {
  return `kubectl annotate pvc -n ${namespace} ${pvc} ${prefix}/backup=false`;
}

function some(volumes: readonly PlannedVolume[]): string {
  const names = volumes.slice(0, 3).map(({ namespace, pvc }) => `${namespace}/${pvc}`);
  return [...names, ...(volumes.length > names.length ? ['…'] : [])].join(', ');
}

async function repositoryLocation(env: NodeJS.ProcessEnv): Promise<string> {
  const { RESTIC_REPOSITORY: given = '', RESTIC_REPOSITORY_FILE: file = '' } = env;
  if (given !== '') return given.trim();
  return file === '' ? '' : (await readFile(file, 'utf8').catch(() => '')).trim();
}

/** The host of a URL of the backends that a cluster may serve itself: `rest:`, `s3:`. */
export function hostOf(location: string): string | null {
  const [, rest] = /^(?:rest|s3):(.*)$/s.exec(location) ?? [];
  if (rest === undefined) return null;
  const url = rest.includes('://') ? rest : `https://${rest}`;
  return URL.canParse(url) ? new URL(url).hostname : null;
}

/**
 * The Service that a name means [Kubernetes: "DNS for Services and Pods"]; IP addresses tell nothing.
 * @param own the namespace of this pod; null outside of one
 */
export function serviceOf(
  host: string | null,
  namespaces: ReadonlySet<string>,
  own: string | null,
): { name: string; namespace: string } | null {
  const [name = '', namespace, svc] = (host ?? '').split('.');
  if (name === '' || name === 'localhost' || /^[\d[]/.test(host ?? '')) return null;
  if (namespace !== undefined) {
    const inCluster = (svc === undefined || svc === 'svc') && namespaces.has(namespace);
    return inCluster ? { name, namespace } : null;
  }
  // A bare name is one of the pod's own namespace.
  return own === null ? null : { name, namespace: own };
}

function localPath(location: string): string | null {
  const name = location.replace(/^local:/, '');
  return name !== '' && !/^[a-z][a-z0-9]+:/.test(name) ? path.resolve(name) : null;
}

/** The volume whose image or share is mounted at a folder of this node or pod. */
async function claimBelow(folder: string, volumes: readonly PlannedVolume[]): Promise<PlannedVolume | null> {
  const mounts = await readMounts({ pid: ownPid });
  const at = mounts.findLast(({ mountPoint }) => `${folder}/`.startsWith(mountPoint.replace(/\/?$/, '/')));
  if (at === undefined) return null;
  const device = /^\/dev\/rbd(\d+)$/.exec(at.source)?.[1];
  const mapped = device === undefined ? null : await mappedImage(device);
  const share = at.fsType.includes('ceph') ? at.source.replace(/^[^/]*:/, '').replace(/^.*=/, '') : null;
  return (
    volumes.find(({ source }) => {
      if (source === null) return false;
      if ('image' in source)
        return mapped !== null && source.image === mapped.image && source.pool === mapped.pool;
      return share !== null && source.path !== null && source.path === share;
    }) ?? null
  );
}

async function mappedImage(id: string): Promise<{ pool: string; image: string } | null> {
  const of = async (name: string) => (await readFile(`/sys/bus/rbd/devices/${id}/${name}`, 'utf8')).trim();
  try {
    return { pool: await of('pool'), image: await of('name') };
  } catch {
    return null;
  }
}
