import { createHash, createHmac } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { freePorts } from '../ports.js';
import { Daemon } from '../process.js';
import type { CephCluster } from './cluster.js';

/** Credentials of the gateway; the name is the key, too. */
export interface S3User {
  name: string;
  secret: string;
}

/** Ceph's own S3 (package radosgw), beside a cluster: with versions, object lock and policies, as others have them. */
export class ObjectGateway {
  private constructor(
    private readonly cluster: CephCluster,
    private readonly daemon: Daemon,
    /** e.g. `http://127.0.0.1:20000` */
    readonly url: string,
  ) {}

  /** @param dir a folder for its data and its log; it is made */
  static async start(cluster: CephCluster, dir: string): Promise<ObjectGateway> {
    const [port = 0] = await freePorts(1);
    await mkdir(dir, { recursive: true });
    const flags = ['--rgw-data', dir, '--rgw-frontends', `beast endpoint=127.0.0.1:${port}`];
    const args = ['-f', '--name', 'client.admin', '--conf', cluster.conf, ...flags];
    const daemon = new Daemon('radosgw', 'radosgw', args, path.join(dir, 'log'));
    const gateway = new ObjectGateway(cluster, daemon, `http://127.0.0.1:${port}`);
    const answers = () =>
      fetch(gateway.url).then(
        ({ ok }) => ok,
        () => false,
      );
    try {
      await daemon.until(answers, 120_000);
    } catch (thrown) {
      await daemon.stop();
      throw thrown;
    }
    return gateway;
  }

  stop(): Promise<void> {
    return this.daemon.stop();
  }

  async createUser(name: string): Promise<S3User> {
    const secret = `${name}-secret`;
    const keys = ['--access-key', name, '--secret-key', secret];
    await this.cluster.run('radosgw-admin', [
      'user',
      'create',
      '--uid',
      name,
      '--display-name',
      name,
      ...keys,
    ]);
    return { name, secret };
  }

  /**
   * One request, signed as S3's version 2 has it.
   * @param resource e.g. `/bucket?policy`
   * @throws Error unless it is answered with success
   */
  async ask(
    user: S3User,
    method: string,
    resource: string,
    body = '',
    amazon: Record<string, string> = {},
  ): Promise<string> {
    const date = new Date().toUTCString();
    const md5 = body === '' ? '' : createHash('md5').update(body).digest('base64');
    const type = body === '' ? '' : 'application/xml';
    const extra = Object.entries(amazon).map(([name, value]) => `${name}:${value}\n`);
    // Ceph's gateway does not sign this one.
    const signed = resource.replace('?object-lock', '');
    const text = `${method}\n${md5}\n${type}\n${date}\n${extra.join('')}${signed}`;
    const signature = createHmac('sha1', user.secret).update(text).digest('base64');
    const headers = {
      date,
      authorization: `AWS ${user.name}:${signature}`,
      ...(body === '' ? {} : { 'content-md5': md5, 'content-type': type }),
      ...amazon,
    };
    const response = await fetch(`${this.url}${resource}`, {
      method,
      headers,
      ...(body === '' ? {} : { body }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${resource}: ${response.status} ${answer}`);
    return answer;
  }
}
