import { writeFileSync } from 'node:fs';
import path from 'node:path';

export interface KubeconfigContents {
  url: string;
  token: string;
  /** The server's certificate authority, PEM. */
  ca?: string;
  namespace?: string;
}

/** Writes `<dir>/<name>.kubeconfig` (0600) and returns its path. JSON is YAML, so it needs no YAML writer. */
export function writeKubeconfig(dir: string, name: string, contents: KubeconfigContents): string {
  const { url, token, ca, namespace } = contents;
  const authority =
    ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'sandbox', cluster: { server: url, ...authority } }],
    users: [{ name, user: { token } }],
    contexts: [{ name: 'sandbox', context: { cluster: 'sandbox', user: name, namespace } }],
    'current-context': 'sandbox',
  };
  const file = path.join(dir, `${name}.kubeconfig`);
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return file;
}
