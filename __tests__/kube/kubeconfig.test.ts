import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findConnection } from '../../lib/kube/connection.js';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'cephbackup-kubeconfig-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

function write(name: string, text: string): string {
  const file = path.join(dir, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const complete = `
apiVersion: v1
kind: Config
current-context: here
contexts:
- name: elsewhere
  context: {cluster: c2, user: u2}
- name: here
  context: {cluster: c1, user: u1, namespace: place}
clusters:
- name: c1
  cluster: {server: 'https://192.0.2.1:6443', certificate-authority: pki/ca.crt}
- name: c2
  cluster: {server: 'https://192.0.2.2:6443'}
users:
- name: u1
  user: {client-certificate: pki/me.crt, client-key: /keys/me.key}
- name: u2
  user: {token: secret-token}
`;

describe('a kubeconfig', () => {
  test('its current context counts, and its paths are relative to it', async () => {
    const file = write('complete/config', complete);
    await expect(findConnection(file, {})).resolves.toEqual({
      server: 'https://192.0.2.1:6443',
      cluster: {
        server: 'https://192.0.2.1:6443',
        'certificate-authority': path.join(dir, 'complete/pki/ca.crt'),
      },
      user: { 'client-certificate': path.join(dir, 'complete/pki/me.crt'), 'client-key': '/keys/me.key' },
      namespace: 'place',
      inPod: false,
    });
  });

  test.each([
    ['no YAML', 'users:\n- name: x\n  user: {token: secret-token', /cannot be read: it is not valid YAML$/],
    ['empty', '', /is no kubeconfig/],
    ['text', 'hello', /is no kubeconfig/],
    ['no context', complete.replace('current-context: here', ''), /names no current-context/],
    ['an unknown context', complete.replace('current-context: here', 'current-context: x'), /no context x/],
    ['no cluster', complete.replace('name: c1', 'name: other'), /no cluster c1 with the URL of a server/],
    ['a server that is no URL', complete.replace('https://192.0.2.1:6443', 'nonsense'), /no cluster c1/],
    ['a server of another kind', complete.replace('https://192.0.2.1', 'ftp://192.0.2.1'), /no cluster c1/],
    ['no user', complete.replace('name: u1', 'name: other'), /no user u1/],
    ['lists that are none', 'current-context: here\ncontexts: 5\nclusters: [1, null]', /no context here/],
  ])('%s is a mistake in the configuration that is named', async (name, text, message) => {
    const file = write(`broken/${name.replaceAll(' ', '-')}`, text);
    const thrown: unknown = await findConnection(file, {}).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'KUBECONFIG_INVALID', kind: 'usage' });
    expect(String(thrown)).toMatch(message);
    expect(String(thrown)).toContain(file);
    expect(String(thrown)).not.toContain('secret-token');
  });

  test('one that does not exist, or is a folder, is a mistake in the configuration', async () => {
    const missing = path.join(dir, 'missing');
    await expect(findConnection(missing, {})).rejects.toMatchObject({
      kind: 'usage',
      message: `the kubeconfig ${missing} cannot be read: ENOENT`,
    });
    await expect(findConnection(dir, {})).rejects.toMatchObject({ code: 'KUBECONFIG_INVALID' });
  });
});

describe('which configuration counts', () => {
  const account = () => path.join(dir, 'account');
  const pod = { KUBERNETES_SERVICE_HOST: '192.0.2.9', KUBERNETES_SERVICE_PORT: '6443' };

  test('the file named, even in a pod', async () => {
    write('account/token', 'token');
    const file = write('named', complete);
    await expect(findConnection(file, pod, account())).resolves.toMatchObject({
      server: 'https://192.0.2.1:6443',
    });
  });

  test("else the pod's service account, even if there is a default kubeconfig", async () => {
    write('account/token', 'token');
    write('account/namespace', 'backup\n');
    const KUBECONFIG = write('default', complete);
    await expect(findConnection(null, { ...pod, KUBECONFIG }, account())).resolves.toEqual({
      server: 'https://192.0.2.9:6443',
      cluster: { 'certificate-authority': path.join(account(), 'ca.crt') },
      user: { tokenFile: path.join(account(), 'token') },
      namespace: 'backup',
      inPod: true,
    });
    const v6 = { KUBERNETES_SERVICE_HOST: '2001:db8::1' };
    await expect(findConnection(null, v6, account())).resolves.toMatchObject({
      server: 'https://[2001:db8::1]:443',
    });
  });

  test('else KUBECONFIG, a list of which the first that says something counts', async () => {
    const first = write('first', 'clusters:\n- name: c1\n  cluster: {server: "https://192.0.2.7"}');
    const missing = path.join(dir, 'missing');
    const second = write('second', complete);
    const KUBECONFIG = [missing, first, second].join(':');
    await expect(findConnection(null, { KUBECONFIG, HOME: dir }, account())).resolves.toMatchObject({
      server: 'https://192.0.2.7',
      namespace: 'place',
    });
  });

  test('else ~/.kube/config', async () => {
    write('home/.kube/config', complete);
    const env = { HOME: path.join(dir, 'home') };
    await expect(findConnection(null, env, account())).resolves.toMatchObject({ namespace: 'place' });
  });

  test('else it is said that there is none', async () => {
    const env = { HOME: path.join(dir, 'nobody'), KUBERNETES_SERVICE_HOST: '192.0.2.9' };
    await expect(findConnection(null, env, path.join(dir, 'no-account'))).rejects.toMatchObject({
      code: 'KUBECONFIG_INVALID',
      message: `there is no Kubernetes configuration: not in a pod, and no file ${dir}/nobody/.kube/config`,
    });
  });
});
