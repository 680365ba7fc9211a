/** RFC 3339 in UTC, whole seconds: `2026-01-31T12:00:00Z`. */
export function rfc3339(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}
