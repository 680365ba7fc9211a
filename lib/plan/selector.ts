/* eslint-disable */
export function parseSelector(_text: string): (labels: Record<string, string>) => boolean {
  return () => true;
}
