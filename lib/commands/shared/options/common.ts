import type { Definitions } from '../../../cli/options.js';
import { duration, matching, objectName, oneOf, text } from '../../../cli/values.js';

/** A value of the tag `cluster=`. */
export const clusterTag = matching(/^[A-Za-z0-9][A-Za-z0-9_.:-]*$/, 'letters, digits and _ . : -');

const dnsPrefix = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Options of every command. */
export const commonOptions = {
  output: {
    flag: '--output',
    short: '-o',
    placeholder: 'table|json',
    description: 'how results are printed (default: table)',
    parse: oneOf('table', 'json'),
  },
  kubeconfig: {
    flag: '--kubeconfig',
    placeholder: 'PATH',
    description: 'kubeconfig file (default: in-cluster, else the default kubeconfig)',
    parse: text,
  },
  annotationPrefix: {
    flag: '--annotation-prefix',
    placeholder: 'PREFIX',
    description: 'prefix of the annotations (default: cephbackup.hpc.nyu.edu)',
    parse: matching(dnsPrefix, 'a DNS name such as cephbackup.example.com'),
  },
  clusterName: {
    flag: '--cluster-name',
    placeholder: 'NAME',
    description: 'name of this cluster in the repository (default: the UID of namespace kube-system)',
    parse: clusterTag,
  },
  leaseNamespace: {
    flag: '--lease-namespace',
    placeholder: 'NS',
    description: 'namespace of the lease (default: that of the pod, else of the kubeconfig context)',
    parse: objectName,
  },
  runTimeout: {
    flag: '--run-timeout',
    placeholder: 'DURATION',
    description: 'limit for the whole command (default: none)',
    parse: duration,
  },
  logLevel: {
    flag: '--log-level',
    placeholder: 'LEVEL',
    description: 'debug, info, warn or error (default: info)',
    parse: oneOf('debug', 'info', 'warn', 'error'),
  },
  logFormat: {
    flag: '--log-format',
    placeholder: 'text|json',
    description: 'format of the log on stderr (default: text)',
    parse: oneOf('text', 'json'),
  },
} satisfies Definitions;
