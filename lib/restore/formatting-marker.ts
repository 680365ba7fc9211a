import type { FormattingMarker } from './overwrite.js';

/** Metadata of an image whose filesystem is being made: `RESTORE TIME`; older versions wrote `true`. */
export const formattingKey = 'cephbackup.formatting';

export function markerValue({ restore, time }: FormattingMarker): string {
  return `${restore ?? ''} ${time ?? ''}`;
}

/** @param metadata all of an image's */
export function markerIn(metadata: Readonly<Record<string, string>>): FormattingMarker | null {
  const value = metadata[formattingKey];
  if (value === undefined) return null;
  const [, restore, time] = /^([0-9a-f]{8}) (\S{10,40})$/.exec(value) ?? [];
  return { restore: restore ?? null, time: time ?? null };
}
