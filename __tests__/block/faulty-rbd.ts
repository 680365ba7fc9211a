import { exportOf, replaceRbd } from '../../sandbox/replaced-rbd.js';

/**
 * What `rbd export-diff` does to its stream, as shell commands that read the good stream from stdin; their exit code
 * becomes that of rbd.
 */
export const streamFaults = {
  'dies after 0 bytes': 'exit 1',
  'dies after 1 byte': 'head -c 1; exit 1',
  'dies after half': 'head -c $((size / 2)); exit 1',
  'dies after all but one byte': 'head -c $((size - 1)); exit 1',
  'is killed after half': 'head -c $((size / 2)); kill -KILL $$',
  'ends without its end record': 'head -c $((size - 1)); exit 0',
  'ends after half with exit code 0': 'head -c $((size / 2)); exit 0',
  'ends with an end record after half': 'head -c $((size / 2)); printf e; exit 0',
  'writes another record': 'cat; printf "z\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0"; exit 0',
  'writes all and fails': 'cat; exit 5',
  'writes nothing at all': 'exit 0',
} as const;
export type StreamFault = keyof typeof streamFaults;

/**
 * A folder with an `rbd` that exports the images given with a fault and otherwise is the real one; to be put first on PATH.
 *
 * @param faults by image, as its spec begins: `rbd/namespace/image`
 */
export function faultyRbd(folder: string, faults: Record<string, StreamFault>): string {
  return replaceRbd(
    folder,
    Object.entries(faults).map(([image, fault]) => [exportOf(image), afterExport(fault)]),
  );
}

/** Commands that have the whole good stream at hand before they give any of it. */
export function afterExport(fault: StreamFault): string {
  return `stream=$(mktemp)
  trap 'rm -f "$stream"' EXIT
  "$real" "$@" > "$stream"
  size=$(stat -c %s "$stream")
  exec < "$stream"
  rm -f "$stream"
  ${streamFaults[fault]}`;
}
