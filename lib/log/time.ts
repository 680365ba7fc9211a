/** A moment: milliseconds since 1970 in UTC, by some machine's clock. */
export type EpochMs = number;

/** RFC 3339 in UTC, whole seconds: `2026-01-31T12:00:00Z`. */
export function rfc3339(moment: EpochMs): string {
  return new Date(moment).toISOString().replace(/\.\d+Z$/, 'Z');
}
