import { expect, test } from '@jest/globals';
import { chart } from '../../sandbox/chart/readme.js';
import { run } from '../../sandbox/process.js';
import { flips, withValue } from './flips.js';
import { describeWithHelm, find, helm, jobOf, podOf, programOf, render, template } from './helm.js';

describeWithHelm('rendering', () => {
  test('helm lint --strict has nothing to say, with and without values', async () => {
    await run(helm, ['lint', '--strict', chart]);
    await run(helm, ['lint', '--strict', chart, '--set', 'shards=3,mapper=fuse,networkPolicy.enabled=true']);
  });

  test('the defaults: the CronJob of a release is what `kubectl create job --from` starts', async () => {
    const objects = await render();
    const kinds = objects.map(({ kind }) => kind).toSorted();
    expect(kinds).toEqual([
      'ClusterRole',
      'ClusterRoleBinding',
      'CronJob',
      // Suspended: for Jobs by hand.
      'CronJob',
      'CronJob',
      'CronJob',
      'Role',
      'RoleBinding',
      'ServiceAccount',
    ]);
    expect(find(objects, 'CronJob').spec).toMatchObject({
      schedule: '17 1 * * *',
      timeZone: 'Etc/UTC',
      suspend: false,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 3,
    });
    expect(jobOf(objects)).toMatchObject({
      activeDeadlineSeconds: 82800,
      // What the cluster took away is replaced, but not all night; what failed by itself is not.
      backoffLimit: 3,
      podFailurePolicy: {
        rules: [
          { action: 'Count', onPodConditions: [{ type: 'DisruptionTarget' }] },
          { action: 'FailJob', onExitCodes: { operator: 'NotIn', values: [0] } },
        ],
      },
    });
    expect(podOf(objects)).toMatchObject({ restartPolicy: 'Never', enableServiceLinks: false });
    const { container, env } = programOf(objects);
    expect(container).toMatchObject({
      image: 'cephbackup:0.1.0',
      args: ['run', '--output=json'],
      envFrom: [{ secretRef: { name: 'cephbackup-repository' } }],
    });
    expect(env).toMatchObject({ CEPHBACKUP_CEPH_KEYRING: '/etc/ceph/keyring', GOMEMLIMIT: '684MiB' });
    expect(container.env.find(({ name }) => name === 'CEPHBACKUP_RUN_GROUP')?.valueFrom).toEqual({
      fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-name']" },
    });
  });

  test.each(Object.entries(flips))('%s has an effect', async (path, { to, with: also = {} }) => {
    const [before, after] = await Promise.all([template(also), template(withValue(also, path, to))]);
    expect(after.stderr).toBe('');
    expect(before.stderr).toBe('');
    expect(after.stdout).not.toBe(before.stdout);
  });

  test.each([
    // (4096 - 128 - 4 × 96) / 5 - 32
    ['4Gi', 4, '684MiB'],
    ['4Gi', 3, '888MiB'],
    ['1500M', 1, '571MiB'],
    [2147483648, 2, '544MiB'],
    // The least that is taken.
    ['992Mi', 4, '64MiB'],
  ])(
    'of a limit of %s for %i volumes each restic gets %s, and what runs beside them the rest',
    async (memory, concurrency, expected) => {
      const objects = await render({ concurrency, resources: { limits: { memory } } });
      expect(programOf(objects).env.GOMEMLIMIT).toBe(expected);
    },
  );

  test('without a limit of memory there is no GOMEMLIMIT', async () => {
    const objects = await render({ resources: { limits: { memory: null } } });
    expect(programOf(objects).env).not.toHaveProperty('GOMEMLIMIT');
  });

  test("the chart's own claim is not backed up", async () => {
    const objects = await render({
      annotationPrefix: 'b.example.com',
      cache: { persistence: { enabled: true } },
    });
    const claim = find(objects, 'PersistentVolumeClaim', 'cephbackup-cache');
    expect(claim.metadata.annotations).toEqual({ 'b.example.com/backup': 'false' });
  });
});

describeWithHelm('verify', () => {
  test('has the account of backups and no rights on the node, and shares its memory between its restics', async () => {
    const objects = await render({ hostNetwork: true, verify: { enabled: true, budget: '1TiB' } });
    const pod = podOf(objects, 'cephbackup-verify');
    expect(pod.hostNetwork ?? false).toBe(false);
    expect(pod.serviceAccountName).toBe('cephbackup');
    expect(pod.securityContext.runAsNonRoot).toBe(true);
    expect(pod.volumes.filter(({ hostPath }) => hostPath !== undefined)).toEqual([]);
    const { container, env } = programOf(objects, 'cephbackup-verify');
    expect(container.envFrom).toEqual([{ secretRef: { name: 'cephbackup-repository' } }]);
    expect(container.args).toEqual(['verify', '--budget=1TiB', '--concurrency=2', '--output=json']);
    expect(env.GOMEMLIMIT).toBe('928MiB');
  });
});

describeWithHelm('prune', () => {
  test('has an account and credentials of its own, no rights on the node, and all its rules', async () => {
    // Also where backups share the node's network.
    const objects = await render({
      hostNetwork: true,
      prune: { enabled: true, existingSecret: 'pruner', keep: { within: '48h' }, keepDeleted: '90d' },
    });
    const pod = podOf(objects, 'cephbackup-prune');
    expect(pod.hostNetwork ?? false).toBe(false);
    expect(pod.serviceAccountName).toBe('cephbackup-prune');
    expect(pod.securityContext.runAsNonRoot).toBe(true);
    expect(pod.volumes.filter(({ hostPath }) => hostPath !== undefined)).toEqual([]);
    const { container } = programOf(objects, 'cephbackup-prune');
    expect(container.envFrom).toEqual([{ secretRef: { name: 'pruner' } }]);
    expect(container.args).toEqual([
      'prune',
      '--output=json',
      '--keep-daily=14',
      '--keep-weekly=8',
      '--keep-monthly=12',
      '--keep-within=48h',
      '--keep-deleted=90d',
      '--retry-lock=30m',
      '--unlock-stale',
    ]);
    const account = { kind: 'ServiceAccount', name: 'cephbackup-prune', namespace: 'default' };
    expect(find(objects, 'ClusterRoleBinding', 'default-cephbackup-prune').subjects).toEqual([account]);
    expect(find(objects, 'ClusterRole', 'default-cephbackup-prune').rules).toEqual([
      {
        apiGroups: [''],
        resources: ['namespaces', 'persistentvolumes', 'persistentvolumeclaims'],
        verbs: ['list'],
      },
    ]);
  });
});

describeWithHelm('shards', () => {
  test('the Job is Indexed, and a failed shard does not stop the others', async () => {
    const objects = await render({ shards: 3 });
    const job = jobOf(objects);
    expect(job).toMatchObject({
      completionMode: 'Indexed',
      completions: 3,
      parallelism: 3,
      backoffLimitPerIndex: 3,
      podFailurePolicy: {
        rules: [
          { action: 'Count', onPodConditions: [{ type: 'DisruptionTarget' }] },
          { action: 'FailIndex', onExitCodes: { operator: 'NotIn', values: [0] } },
        ],
      },
    });
    expect(job).not.toHaveProperty('backoffLimit');
    expect(programOf(objects).env.CEPHBACKUP_SHARDS).toBe('3');
    const [spread] = podOf(objects).topologySpreadConstraints as { labelSelector: { matchLabels: object } }[];
    expect(job.template.metadata.labels).toMatchObject(spread?.labelSelector.matchLabels ?? { none: true });
  });

  test('need Kubernetes 1.29', async () => {
    expect((await template({ shards: 2 }, { kubeVersion: '1.28.9' })).stderr).toContain('1.29');
    await render({ shards: 2 }, { kubeVersion: '1.29.0' });
    await render({}, { kubeVersion: '1.27.0' });
    expect((await template({}, { kubeVersion: '1.26.0' })).code).not.toBe(0);
  });

  test('and a Helm that was built without its settings takes none for 1.20.0', async () => {
    const values = { shards: 2, mapper: 'fuse', cephfsClient: 'fuse' };
    for (const kubeVersion of [null, '1.20.0'])
      expect(await render(values, { kubeVersion })).toEqual(await render(values));
    expect((await template(values, { kubeVersion: '1.20.1' })).code).not.toBe(0);
  });
});

describeWithHelm('Jobs by hand', () => {
  const byHand = ['init', 'doctor', 'cleanup', 'restore'];
  const indexed = ['completionMode', 'completions', 'parallelism', 'backoffLimitPerIndex'];

  test('have one pod, with the rights and mounts of a backup’s, however many shards that has', async () => {
    const objects = await render({ shards: 3, restore: { enabled: true } });
    const { container: backup } = programOf(objects);
    for (const name of byHand) {
      const job = jobOf(objects, `cephbackup-${name}`);
      for (const field of [...indexed, 'activeDeadlineSeconds']) expect(job).not.toHaveProperty(field);
      expect(find(objects, 'CronJob', `cephbackup-${name}`).spec).toMatchObject({ suspend: true });
      const { container, env } = programOf(objects, `cephbackup-${name}`);
      expect(env).not.toHaveProperty('CEPHBACKUP_SHARDS');
      expect(container.securityContext).toEqual(backup.securityContext);
      expect(container.volumeMounts).toEqual(backup.volumeMounts);
    }
    expect(programOf(objects, 'cephbackup-init').container).toMatchObject({
      command: ['restic'],
      args: ['init'],
    });
    expect(podOf(objects, 'cephbackup-cleanup').serviceAccountName).toBe('cephbackup');
  });

  test('that restore have an account of their own, with the rights of a backup and of whoever restores', async () => {
    const objects = await render({ restore: { enabled: true } });
    const account = podOf(objects, 'cephbackup-restore').serviceAccountName;
    expect(account).toBe('cephbackup-restore');
    find(objects, 'ServiceAccount', account);
    const bound = objects.flatMap(({ kind, roleRef, subjects }) => {
      const [subject] = (subjects ?? []) as { name: string }[];
      return kind.endsWith('Binding') && subject?.name === account
        ? [(roleRef as { name: string }).name]
        : [];
    });
    expect(bound.toSorted()).toEqual(['cephbackup', 'default-cephbackup', 'default-cephbackup-restore']);
  });

  test('report to no Pushgateway: they may look at one claim of many', async () => {
    const push = 'http://pushgateway.example.com:9091';
    const objects = await render({ metrics: { push }, extraArgs: ['--limit-upload=1'] });
    expect(programOf(objects).container.args).toEqual([
      'run',
      '--output=json',
      `--metrics-push=${push}`,
      '--limit-upload=1',
    ]);
    expect(JSON.stringify(programOf(objects).env)).not.toContain(push);
    for (const name of ['init', 'doctor', 'cleanup'])
      expect(JSON.stringify(jobOf(objects, `cephbackup-${name}`))).not.toContain(push);
  });
});

describeWithHelm('security contexts', () => {
  const enabled = { verify: { enabled: true }, prune: { enabled: true, existingSecret: 'pruner' } };

  test('null removes them, and what is given is added', async () => {
    const removed = await render({
      verify: { ...enabled.verify, podSecurityContext: null, securityContext: null },
      prune: { ...enabled.prune, podSecurityContext: { runAsUser: 1000 } },
      podSecurityContext: null,
      securityContext: { privileged: false, procMount: 'Default' },
    });
    expect(podOf(removed)).not.toHaveProperty('securityContext');
    expect(programOf(removed).container.securityContext).toEqual({
      readOnlyRootFilesystem: true,
      privileged: false,
      procMount: 'Default',
    });
    expect(podOf(removed, 'cephbackup-verify')).not.toHaveProperty('securityContext');
    expect(programOf(removed, 'cephbackup-verify').container).not.toHaveProperty('securityContext');
    expect(podOf(removed, 'cephbackup-prune').securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    });
  });

  test('AppArmor lets the container mount, also before Kubernetes 1.30', async () => {
    const values = { mapper: 'fuse', cephfsClient: 'fuse', fuse: { deviceResource: 'example.com/fuse' } };
    const before = jobOf(await render(values, { kubeVersion: '1.29.4' })).template;
    expect(before.metadata).toMatchObject({
      annotations: { 'container.apparmor.security.beta.kubernetes.io/backup': 'unconfined' },
    });
    expect(before.spec.containers[0]?.securityContext).not.toHaveProperty('appArmorProfile');
    const since = jobOf(await render(values)).template;
    expect(JSON.stringify(since.metadata)).not.toContain('apparmor');
    expect(since.spec.containers[0]?.securityContext).toMatchObject({
      appArmorProfile: { type: 'Unconfined' },
    });
  });

  test('OpenShift: each account may use the constraints that its pods need', async () => {
    const constraints = async (values: object) =>
      Object.fromEntries<string | undefined>(
        (await render({ openshift: { scc: true }, ...values }))
          .filter(({ metadata }) => metadata.name.endsWith('-scc'))
          .map(({ roleRef, subjects }): [string, string] => [
            (subjects as { name: string }[])[0]?.name ?? '',
            (roleRef as { name: string }).name,
          ]),
      );
    expect(await constraints({ restore: { enabled: true }, ...enabled })).toEqual({
      cephbackup: 'system:openshift:scc:privileged',
      'cephbackup-restore': 'system:openshift:scc:privileged',
      'cephbackup-prune': 'system:openshift:scc:nonroot-v2',
    });
    expect(await constraints({ kinds: { rbdFilesystem: false, cephfs: false } })).toEqual({
      cephbackup: 'system:openshift:scc:nonroot-v2',
    });
  });

  test('no mesh adds its sidecar, unless it is wanted', async () => {
    const { metadata } = jobOf(await render()).template;
    expect(metadata).toMatchObject({
      labels: { 'sidecar.istio.io/inject': 'false' },
      annotations: { 'linkerd.io/inject': 'disabled' },
    });
    expect(JSON.stringify(jobOf(await render({ sidecars: true })).template)).not.toContain('inject');
  });
});

describeWithHelm('names', () => {
  const everything = {
    shards: 2,
    cache: { persistence: { enabled: true, accessModes: ['ReadWriteMany'] } },
    repository: { variables: { RESTIC_REPOSITORY: '/r' } },
    ceph: { keyring: '[client.admin]\nkey = x', clusters: [{ clusterID: 'a', monitors: ['b'] }] },
    networkPolicy: { enabled: true },
    rbac: { restoreRole: true },
    restore: { enabled: true },
    openshift: { scc: true },
    verify: { enabled: true },
    prune: { enabled: true, existingSecret: 'pruner' },
    report: { enabled: true, volume: { accessModes: ['ReadWriteMany'] }, serve: { enabled: true } },
  };
  const longest = 'a'.repeat(53);
  const cut = `${'a'.repeat(45)}-cephbackup`.slice(0, 53);

  test.each(['a', 'cephbackup', longest, cut, `${'a-'.repeat(26)}b`, 'with.dots.in.it'])(
    'stay within 52 characters and are valid for release %s',
    async (release) => {
      const objects = await render(everything, { release, namespace: 'n'.repeat(63) });
      const names = objects.map(({ metadata }) => metadata.name);
      expect(names.filter((name) => name.length > 52)).toEqual([]);
      expect(names.filter((name) => !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name))).toEqual([]);
      expect(new Set(objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).size).toBe(
        objects.length,
      );
    },
  );

  test.each(['123', 'true', '1e3'])(
    'that YAML takes for something else, like %s, stay texts',
    async (text) => {
      const same = { 'app.kubernetes.io/component': text, team: text, other: text };
      const values = { ...everything, commonLabels: same, podLabels: same };
      const rendered = [
        ...(await render({ ...values, nameOverride: text }, { release: text, namespace: text })),
        ...(await render({ ...values, fullnameOverride: text })),
      ];
      const texts = (value: unknown): unknown[] =>
        typeof value === 'object' && value !== null
          ? Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
              /^(name|namespace|secretName|claimName|serviceAccountName)$/.test(key) ||
              key.startsWith('app.kubernetes.io/')
                ? [inner]
                : texts(inner),
            )
          : [];
      const found = texts(rendered).filter((value) => typeof value !== 'object');
      expect(found.filter((value) => typeof value !== 'string')).toEqual([]);
      expect(found.length).toBeGreaterThan(100);
    },
  );

  test('two releases that differ only at the end of a long name have different objects', async () => {
    const [one, other] = await Promise.all(
      ['x', 'y'].map((end) => render({}, { release: `${'a'.repeat(52)}${end}` })),
    );
    expect(podOf(one ?? [], one?.find(({ kind }) => kind === 'CronJob')?.metadata.name)).toBeDefined();
    const name = (objects: typeof one) => objects?.find(({ kind }) => kind === 'CronJob')?.metadata.name;
    expect(name(one)).not.toBe(name(other));
  });

  test('two releases of one name in two namespaces have different ClusterRoles', async () => {
    const roles = await Promise.all(
      ['a', 'b'].map(async (namespace) => {
        const objects = await render({}, { namespace });
        return objects.find(({ kind }) => kind === 'ClusterRole')?.metadata.name;
      }),
    );
    expect(roles[0]).not.toBe(roles[1]);
  });
});
