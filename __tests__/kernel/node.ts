import type { CephCluster } from '../../sandbox/ceph.js';
import { attemptInGuest, runInGuest, type GuestResult } from '../../sandbox/vm/guest.js';
import { temporaryFolder } from '../support/temporary.js';

/** A volume that a pod of the node uses by the kernel's own clients, as ceph-csi's node plugin mounts it. */
export interface InUse {
  /** Its root, in the virtual machine. */
  root: string;
  letGo(): Promise<void>;
}

/** The node that the program runs on: the virtual machine. */
export class Node {
  constructor(private readonly cluster: CephCluster) {}

  attempt(script: string, ...args: string[]): Promise<GuestResult> {
    return attemptInGuest('bash', ['-ec', script, 'bash', ...args], { env: this.#env });
  }

  /** Runs a script of bash with arguments. @throws Error unless it exits 0. */
  async run(script: string, ...args: string[]): Promise<string> {
    return (await runInGuest('bash', ['-ec', script, 'bash', ...args], { env: this.#env })).trim();
  }

  get #env() {
    return { PATH: process.env.PATH ?? '', HOME: '/root', CEPH_CONF: this.cluster.conf };
  }

  /** Maps an image, mounts its filesystem, and runs a script in its root. */
  async useImage(image: string, type: 'ext4' | 'xfs', script = ''): Promise<InUse> {
    const root = await temporaryFolder('pod');
    const device = await this.run('rbd device map -o noudev "$1"', image);
    await this.run('mount -t "$1" "$2" "$3"; cd "$3"; eval "$4"; sync -f .', type, device, root, script);
    return {
      root,
      letGo: async () => {
        await this.run('umount "$1"; rbd device unmap -o noudev "$2"', root, device);
      },
    };
  }

  /** Mounts a directory of a CephFS. */
  async useShare(filesystem: string, directory: string, script = ''): Promise<InUse> {
    const root = await temporaryFolder('pod');
    const options = `name=admin,conf=${this.cluster.conf},fs=${filesystem}`;
    const mount = 'mount -t ceph -o "$1" ":$2" "$3"; cd "$3"; eval "$4"; sync -f .';
    await this.run(mount, options, directory, root, script);
    return {
      root,
      letGo: async () => {
        await this.run('umount "$1"', root);
      },
    };
  }
}
