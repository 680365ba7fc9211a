import path from 'node:path';
import { describe, test } from '@jest/globals';
import yaml from 'js-yaml';
import { chart } from '../../sandbox/chart/readme.js';
import { attempt, type RunResult } from '../../sandbox/process.js';

const assets = process.env.KUBEBUILDER_ASSETS ?? '';
export const helm = path.join(assets, 'helm');
export const kubectl = path.join(assets, 'kubectl');

/** Tests that need helm (and perhaps more) of KUBEBUILDER_ASSETS; where that is not set, the end of a run names them. */
export function describeWithHelm(name: string, tests: () => void): void {
  describe(name, () => {
    if (assets !== '') {
      tests();
      return;
    }
    test.todo('set KUBEBUILDER_ASSETS to a folder with helm, kubectl, etcd and kube-apiserver');
  });
}

export type Values = Record<string, unknown>;

/** What a test looks at in an object of Kubernetes. */
export interface Rendered {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; annotations?: Record<string, string> };
  [field: string]: unknown;
}

export interface TemplateOptions {
  release?: string;
  namespace?: string;
  /** Null: what this Helm says by itself. */
  kubeVersion?: string | null;
  /** Values files, as paths; `values` come last. */
  files?: string[];
}

const known = new Map<string, Promise<RunResult>>();

/** `helm template`; any outcome is a result. What was rendered before is not rendered again. */
export function template(values: Values = {}, options: TemplateOptions = {}): Promise<RunResult> {
  const key = JSON.stringify([values, options]);
  const result = known.get(key) ?? runTemplate(values, options);
  known.set(key, result);
  return result;
}

async function runTemplate(
  values: Values,
  { release = 'cephbackup', namespace = 'default', kubeVersion = '1.34.0', files = [] }: TemplateOptions,
): Promise<RunResult> {
  const from = files.flatMap((file) => ['--values', file]);
  const where = ['--namespace', namespace, ...(kubeVersion === null ? [] : ['--kube-version', kubeVersion])];
  // Values travel by stdin: `--set` has a syntax of its own.
  return attempt(helm, ['template', release, chart, ...where, ...from, '--values', '-'], {
    input: JSON.stringify(values),
  });
}

/** The objects that the chart renders. @throws Error with helm's message */
export async function render(values: Values = {}, options: TemplateOptions = {}): Promise<Rendered[]> {
  const { code, stdout, stderr } = await template(values, options);
  if (code !== 0) throw new Error(stderr);
  return documents(stdout);
}

export function documents(text: string): Rendered[] {
  return yaml.loadAll(text).filter((document): document is Rendered => document !== null);
}

export function find(objects: readonly Rendered[], kind: string, name = 'cephbackup'): Rendered {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** The parts of a pod that tests look at. */
export interface PodSpec {
  hostNetwork?: boolean;
  hostPID?: boolean;
  dnsPolicy?: string;
  serviceAccountName: string;
  securityContext: { runAsNonRoot?: boolean; runAsUser?: number; fsGroup?: number };
  volumes: {
    name: string;
    hostPath?: { path: string };
    emptyDir?: object;
    secret?: { secretName: string };
    configMap?: { name: string };
    persistentVolumeClaim?: { claimName: string; readOnly?: boolean };
  }[];
  containers: Container[];
  initContainers?: Container[];
  [field: string]: unknown;
}

export interface Container {
  args?: string[];
  command?: string[];
  env: { name: string; value?: string; valueFrom?: unknown }[];
  envFrom?: { secretRef: { name: string } }[];
  securityContext: {
    privileged?: boolean;
    readOnlyRootFilesystem?: boolean;
    allowPrivilegeEscalation?: boolean;
    capabilities?: { add?: string[]; drop?: string[] };
  };
  resources: { limits?: Record<string, string> };
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
  [field: string]: unknown;
}

export interface JobSpec {
  backoffLimit?: number;
  backoffLimitPerIndex?: number;
  completionMode?: string;
  completions?: number;
  parallelism?: number;
  template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
  [field: string]: unknown;
}

export function jobOf(objects: readonly Rendered[], name = 'cephbackup'): JobSpec {
  const { spec } = find(objects, 'CronJob', name) as unknown as { spec: { jobTemplate: { spec: JobSpec } } };
  return spec.jobTemplate.spec;
}

export function podOf(objects: readonly Rendered[], name = 'cephbackup'): PodSpec {
  return jobOf(objects, name).template.spec;
}

export function deployedPod(objects: readonly Rendered[], name: string): PodSpec {
  const { spec } = find(objects, 'Deployment', name) as unknown as { spec: { template: { spec: PodSpec } } };
  return spec.template.spec;
}

/** The container that runs the program, and its environment by name. */
export function programOf(objects: readonly Rendered[], name = 'cephbackup') {
  const [container] = podOf(objects, name).containers;
  if (container === undefined) throw new Error('a pod without containers');
  return { container, env: Object.fromEntries(container.env.map((entry) => [entry.name, entry.value])) };
}
