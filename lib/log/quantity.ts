/** Bytes as Kubernetes writes quantities, with one decimal at most: `512`, `1.5Gi`. */
export function formatBytes(count: number): string {
  let value = count;
  let unit = 0;
  const units = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
  // 1023.96Ki would be printed as 1024Ki.
  while (Math.round(value * 10) >= 10_240 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Math.round(value * 10) / 10}${units[unit] ?? ''}`;
}
