import { Daemon } from '../process.js';

/**
 * What the kubelet sets for the whole kernel when it starts. A bound file with its value makes it content: the machine
 * keeps its own.
 */
const kernelSettings: Record<string, number> = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

/** Static text; everything else arrives as arguments. The shell is the first process of a machine, and reaps orphans. */
const script = `
set -u
dir=$1 containerd_config=$2 kubelet=$3; shift 3
mount --make-rshared /
mkdir -p "$dir/kernel"
for setting in ${Object.entries(kernelSettings)
  .map(([name, value]) => `${name}=${value}`)
  .join(' ')}; do
  file="$dir/kernel/$(basename "\${setting%%=*}")"
  echo "\${setting#*=}" >"$file"
  mount --bind "$file" "/proc/sys/\${setting%%=*}"
done
containerd --config "$containerd_config" >"$dir/containerd.log" 2>&1 &
"$kubelet" "$@" >"$dir/kubelet.log" 2>&1 &
wait
`;

export interface MachineOptions {
  dir: string;
  containerdConfig: string;
  kubelet: string;
  kubeletFlags: string[];
}

/**
 * containerd and a kubelet in namespaces of processes and mounts of their own: when the first process ends, however that
 * happens, the kernel ends every container and takes down every mount.
 */
export function startMachine({ dir, containerdConfig, kubelet, kubeletFlags }: MachineOptions): Daemon {
  const namespaces = [
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ];
  const shell = ['bash', '-c', script, 'machine', dir, containerdConfig, kubelet, ...kubeletFlags];
  return new Daemon('node', 'unshare', [...namespaces, '--', ...shell], `${dir}/machine.log`);
}
