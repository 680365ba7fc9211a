/** Options for the kernel's clients of Ceph, as a cluster's configuration has them for its pods. */
export interface ClientOptions {
  /** Those that a backup needs, too. */
  used: string[];
  /** All others, as they stand there. */
  refused: string[];
}

/**
 * How to speak with the monitors and servers, and nothing else: what is tuned for a pod's work has no place in a backup,
 * and a StorageClass must not be able to say how this program mounts [ceph Documentation: rbd(8), mount.ceph(8)].
 */
const allowed = /^(ms_mode=(legacy|crc|secure|prefer-crc|prefer-secure)|rxbounce)$/;

/** Later texts win over earlier ones. */
export function clientOptions(...texts: readonly (string | null)[]): ClientOptions {
  const used = new Map<string, string>();
  const refused = new Set<string>();
  for (const text of texts) {
    for (const option of (text ?? '').split(',').map((part) => part.trim())) {
      if (option === '') continue;
      if (allowed.test(option)) used.set(option.split('=')[0] ?? '', option);
      else refused.add(option);
    }
  }
  return { used: [...used.values()], refused: [...refused] };
}

/**
 * krbd's part of `mapOptions`: `krbd:a,b;nbd:c`, and without a prefix krbd's [ceph-csi internal/rbd/rbd_attach.go,
 * parseMapOptions].
 */
export function krbdOptions(mapOptions: string | null): string | null {
  const parts = (mapOptions ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const krbd = parts.flatMap((part) => {
    if (part.startsWith('krbd:')) return part.slice('krbd:'.length);
    return /^[a-z]+:/.test(part) ? [] : part;
  });
  return krbd.length === 0 ? null : krbd.join(',');
}
