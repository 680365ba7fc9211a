/** One metric with all its series. All are gauges: a program that ends counts nothing. */
export interface Family {
  /** With the unit at its end, as Prometheus' "Metric and label naming" has it. */
  name: string;
  help: string;
  series: Series[];
}

export interface Series {
  labels: Record<string, string>;
  value: number;
}

export function gauge(name: string, help: string, series: Series[]): Family {
  return { name, help, series };
}

/** A metric without labels; none where its value is not known. */
export function single(name: string, help: string, value: number | null): Family {
  return { name, help, series: value === null ? [] : [{ labels: {}, value }] };
}

/** Seconds since the epoch of an RFC 3339 time; 0 where there is none: older than everything. */
export function seconds(time: string | null): number {
  return time === null ? 0 : Date.parse(time) / 1000;
}

/** Claims that are shown one by one; a cluster that has more shows those that come first, and counts the rest. */
export const mostClaims = 10_000;

export function claimLabels({ namespace, pvc }: { namespace: string; pvc: string }): Series['labels'] {
  return { namespace, persistentvolumeclaim: pvc };
}
