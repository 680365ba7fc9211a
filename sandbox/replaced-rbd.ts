import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { resolveProgram } from '../lib/tools/process/launch.js';

/** A shell pattern for all arguments, and the shell commands that are run then: `"$real" "$@"` is what was asked for. */
export type RbdCase = [pattern: string, commands: string];

/** A folder with an `rbd` that does something else in some cases; to be put first on PATH. */
export function replaceRbd(folder: string, cases: readonly RbdCase[]): string {
  mkdirSync(folder, { recursive: true });
  const script = `#!/bin/bash
real='${resolveProgram('rbd', process.env.PATH)}'
# The options of the connection come first.
connection=("\${@:1:2}")
case "$*" in
${cases.map(([pattern, commands]) => `${pattern})\n  ${commands}\n  ;;`).join('\n')}
esac
exec "$real" "$@"
`;
  const file = path.join(folder, 'rbd');
  writeFileSync(file, script);
  chmodSync(file, 0o755);
  return folder;
}

/** The case that an image (`POOL[/NAMESPACE]/IMAGE`) is exported. */
export function exportOf(image: string): string {
  return `*export-diff*' ${image}@'*`;
}
