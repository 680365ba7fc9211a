import { readdir } from 'node:fs/promises';
import { CephbackupError } from '../../errors/error.js';
import { cephError, errno } from '../ceph/connection.js';
import { kernelRefusesKey } from '../ceph/unreadable-key.js';
import { holdersOf } from '../node/holders.js';
import { steady } from '../../waiting/persist.js';
import type { CommandOptions } from '../process/exec.js';
import { asObject, parseJson, stringField } from '../process/json.js';
import type { RbdCommand } from './command.js';
import { formatImage, type ImageSpec } from './image-spec.js';

export interface MappedImage extends ImageSpec {
  /** E.g. `/dev/rbd0`. */
  device: string;
}

/** An unmapping waits for the cluster where it does not answer. */
const unmapDeadlineMs = 60_000;
/** In which a mapped device that is in use becomes free. */
const busyPatience = steady(15_000, 500);

/** `rbd device`: what this node maps through its kernel. Mappings are host-global. */
export class RbdMapping {
  constructor(private readonly rbd: RbdCommand) {}

  /** Those of other programs, too. */
  async list(options?: Partial<CommandOptions>): Promise<MappedImage[]> {
    const result = await this.rbd.run(['device', 'list', '--format', 'json'], options);
    if (result.exitCode !== 0) throw cephError('COMMAND_FAILED', 'rbd device list', result);
    // Nothing mapped is an empty text for some versions, and an object by id for old ones. The kernel knows better.
    if (result.stdout.trim() === '' && (await mappedByKernel()) === 0) return [];
    const value = parseJson(result.stdout, 'rbd device list');
    const entries = Array.isArray(value) ? value : Object.values(asObject(value, 'rbd device list'));
    return entries.map((entry) => {
      const object = asObject(entry, 'rbd device list');
      const namespace = object.namespace;
      return {
        pool: stringField(object, 'pool', 'rbd device list'),
        namespace: typeof namespace === 'string' && namespace !== '' ? namespace : null,
        image: stringField(object, 'name', 'rbd device list'),
        device: stringField(object, 'device', 'rbd device list'),
      };
    });
  }

  /**
   * Maps an image and returns its device. What `rbd_default_map_options` of the cluster says holds as well.
   *
   * @param mapOptions of krbd, out of an allow-list
   * @throws CephbackupError MAP_FAILED …
   */
  async map(
    image: ImageSpec,
    mapOptions: readonly string[],
    options?: Partial<CommandOptions>,
  ): Promise<string> {
    const chosen = ['noudev', ...mapOptions].join(',');
    const result = await this.rbd.change(['device', 'map', '-o', chosen, formatImage(image)], options);
    const device = result.stdout.trim();
    if (result.exitCode === 0 && device.startsWith('/dev/')) return device;
    const withoutFile = mappedWithoutFile.exec(result.stderr)?.[1];
    if (withoutFile !== undefined) return withoutFile;
    // What it knows better than its last line, it says on stdout.
    const said = `${result.stdout}\n${result.stderr}`;
    const refusal =
      refusals.find(({ text }) => text.test(said)) ?? kernelRefusesKey(this.rbd.connection, result.stderr);
    if (refusal === null) throw cephError('MAP_FAILED', `mapping of ${formatImage(image)}`, result);
    const reason = 'reason' in refusal ? refusal.reason : refusal.message;
    const { guidance } = refusal;
    throw new CephbackupError('MAP_FAILED', `mapping of ${formatImage(image)}: ${reason}`, {
      ...(guidance === undefined ? {} : { guidance }),
    });
  }

  /**
   * Unmaps an image that this node maps, by its name: a container may have no file for the device. What holds the device
   * for a moment only (udev reads each new one) is waited for.
   */
  async unmap(image: ImageSpec, options?: Partial<CommandOptions>): Promise<void> {
    // Without noudev the unmapping, too, waits for a udev that a container does not have.
    const args = ['device', 'unmap', '-o', 'noudev', formatImage(image)];
    const result = await this.rbd.change(args, {
      deadlineMs: unmapDeadlineMs,
      patience: busyPatience,
      ...options,
    });
    if (result.exitCode === 0) return;
    const held = result.exitCode === errno.EBUSY ? await this.#holders(image) : [];
    const what = `unmapping of ${formatImage(image)}${held.length === 0 ? '' : `, held by ${held.join(', ')}`}`;
    throw cephError('COMMAND_FAILED', what, result);
  }

  async #holders(image: ImageSpec): Promise<string[]> {
    const all = await this.list().catch(() => []);
    const own = all.filter((mapped) => formatImage(mapped) === formatImage(image));
    return (await Promise.all(own.map(({ device }) => holdersOf(device)))).flat();
  }
}

/** How many images this node maps [Linux Documentation/ABI/testing/sysfs-bus-rbd]. */
async function mappedByKernel(): Promise<number> {
  return (await readdir('/sys/bus/rbd/devices').catch(() => [])).length;
}

/** rbd exits 22 where a container's /dev has no file for the device, which is mapped all the same [src/krbd.cc]. */
const mappedWithoutFile = /mapping succeeded but (\/dev\/\S+) is not accessible/;

interface Refusal {
  text: RegExp;
  reason: string;
  guidance?: string;
}

/** What `rbd device map` says before its last line, which then holds a bare errno [src/krbd.cc, src/tools/rbd/action/Kernel.cc]. */
const refusals: readonly Refusal[] = [
  {
    text: /feature set mismatch/i,
    reason:
      'this kernel does not support a feature of the image, or of one that it was cloned from (dmesg names it)',
  },
  { text: /failed to load rbd kernel module|modprobe/i, reason: 'this kernel has no module rbd' },
  {
    text: /ms_mode mismatch/i,
    reason: 'no monitor has an address for the protocol that the kernel is to speak (ms_mode)',
    guidance:
      'The cluster speaks messenger v2 only, or encrypted only: name the mode where ceph-csi has it, too, as `mapOptions: "krbd:ms_mode=secure"` (or prefer-crc) of the StorageClass, or for every client by `ceph config set client rbd_default_map_options ms_mode=prefer-crc`.',
  },
  {
    text: /couldn't parse default map options|unknown map option|invalid ms_mode value/i,
    reason: 'rbd does not know a map option (rbd_default_map_options, or mapOptions of the StorageClass)',
  },
];
