const suffixes: Record<string, readonly [base: bigint, exponent: number]> = {
  n: [10n, -9],
  u: [10n, -6],
  m: [10n, -3],
  '': [10n, 0],
  k: [10n, 3],
  M: [10n, 6],
  G: [10n, 9],
  T: [10n, 12],
  P: [10n, 15],
  E: [10n, 18],
  Ki: [2n, 10],
  Mi: [2n, 20],
  Gi: [2n, 30],
  Ti: [2n, 40],
  Pi: [2n, 50],
  Ei: [2n, 60],
};

/**
 * A quantity of Kubernetes (`10Gi`, `1.5G`, `1e9`, `500m`) as a whole number, rounded up as Kubernetes does
 * [apimachinery pkg/api/resource/quantity.go]; null where it is none, is negative, or is beyond all storage.
 */
export function parseQuantity(text: string): number | null {
  const match = /^\+?(\d{0,40})(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i))?$/.exec(text);
  const [, whole = '', fraction = '', exponent, suffix = ''] = match ?? [];
  const [base, power] = suffixes[suffix] ?? [10n, 0];
  if (match === null || whole + fraction === '') return null;
  // digits × base^power × 10^shift, in whole numbers throughout.
  const digits = BigInt(whole + fraction);
  const shift = Number(exponent ?? 0) - fraction.length + (base === 10n ? power : 0);
  const binary = base === 2n ? 2n ** BigInt(power) : 1n;
  const numerator = digits * binary * 10n ** BigInt(Math.max(shift, 0));
  const denominator = 10n ** BigInt(Math.max(-shift, 0));
  const value = (numerator + denominator - 1n) / denominator;
  return value < 2n ** 63n ? Number(value) : null;
}
