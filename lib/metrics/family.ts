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

/** Prometheus' text format 0.0.4. A metric without series is left out. */
export function render(families: readonly Family[]): string {
  return families
    .filter(({ series }) => series.length > 0)
    .map(({ name, help, series }) => {
      const lines = series.map(({ labels, value }) => `${name}${labelText(labels)} ${value}\n`);
      return `# HELP ${name} ${escape(help)}\n# TYPE ${name} gauge\n${lines.join('')}`;
    })
    .join('');
}

function labelText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escape(value).replaceAll('"', '\\"')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
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
