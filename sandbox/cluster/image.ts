import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { checkout } from '../checkout.js';
import { attempt, run } from '../process.js';
import { debianMirror } from './mirror.js';

const baseImage = 'docker.io/library/debian:forky-slim';
const nodeImage = 'docker.io/library/node:24-trixie-slim';
export const programImage = 'localhost/cephbackup';
export const pauseImage = 'localhost/pause:1';
const minutes = 60_000;

/**
 * Builds images without a daemon or a registry, in a store of its own. Layers are kept there, so that a second build of
 * the same sources is quick.
 */
export class ImageBuilder {
  readonly #store: string[];

  /** @param folder where the store is; it is made */
  constructor(private readonly folder: string) {
    this.#store = ['--root', path.join(folder, 'store'), '--runroot', path.join(folder, 'run')];
  }

  /** The image of this checkout's Dockerfile. @returns its name */
  async buildProgram(tag: string): Promise<string> {
    await this.#ensureBase();
    await this.#ensureNode();
    const secrets = await mkdtemp(path.join(this.folder, 'secrets-'));
    try {
      await this.#build(checkout, `${programImage}:${tag}`, await builderSettings(secrets));
    } finally {
      await rm(secrets, { recursive: true, force: true });
    }
    return `${programImage}:${tag}`;
  }

  /** What holds a pod's namespaces: a program that sleeps. */
  async buildPause(): Promise<void> {
    if (await this.#has(pauseImage)) return;
    const context = await mkdtemp(path.join(this.folder, 'pause-'));
    const dockerfile =
      'FROM scratch\nCOPY busybox /busybox\nENTRYPOINT ["/busybox", "sleep", "2147483647"]\n';
    await writeFile(path.join(context, 'Dockerfile'), dockerfile);
    await run('cp', ['/bin/busybox', path.join(context, 'busybox')]);
    await this.#build(context, pauseImage, []);
    await rm(context, { recursive: true, force: true });
  }

  /** Writes an image as an archive that containerd imports. */
  async save(image: string, file: string): Promise<void> {
    // Compressed it would take longer to write than it takes to use.
    await this.#buildah(['push', '--quiet', '--disable-compression', image, `oci-archive:${file}:${image}`]);
  }

  /** Bytes of the files of an image, and of what it is built on, as they lie in the containers' filesystems. */
  async unpackedSize(image: string): Promise<{ image: number; base: number }> {
    return { image: await this.#measure(image), base: await this.#measure(baseImage) };
  }

  /** What a program of the image prints. */
  async runIn(image: string, command: readonly string[]): Promise<string> {
    const container = await this.#from(image);
    try {
      return await this.#buildah(['run', container, '--', ...command]);
    } finally {
      await this.#buildah(['rm', container]);
    }
  }

  async #measure(image: string): Promise<number> {
    const container = await this.#from(image);
    try {
      const mounted = (await this.#buildah(['mount', container])).trim();
      const [size] = (await run('du', ['--summarize', '--block-size=1', mounted])).split('\t');
      return Number(size);
    } finally {
      await this.#buildah(['rm', container]);
    }
  }

  /** Stands in for Debian's own image, from what can be had without a registry for images. */
  async #ensureBase(): Promise<void> {
    await this.#ensure(baseImage, async (root) => {
      // A debootstrap that is older than a release has no script of its name.
      await debootstrap(root, 'forky', ['--include=systemd-standalone-sysusers'], 'sid');
      await run('find', [
        path.join(root, 'usr/share/doc'),
        '-type',
        'f',
        '!',
        '-name',
        'copyright',
        '-delete',
      ]);
      const slim = ['usr/share/man', 'usr/share/locale', 'usr/share/info'].map((name) =>
        path.join(root, name),
      );
      await run('rm', ['-rf', ...slim]);
    });
  }

  /** Stands in for Node's own image: its npm package, and npm, on Debian. */
  async #ensureNode(): Promise<void> {
    await this.#ensure(nodeImage, async (root) => {
      await debootstrap(root, 'trixie');
      const local = path.join(root, 'usr/local');
      const prefix = await mkdtemp(path.join(this.folder, 'node-'));
      const packages = ['node@24', 'npm@11'];
      await run('npm', ['install', '--prefix', prefix, '--loglevel=error', ...packages], {
        timeout: 5 * minutes,
        cwd: prefix,
      });
      const modules = path.join(local, 'lib/node_modules');
      await mkdir(modules, { recursive: true });
      await run('cp', ['-a', path.join(prefix, 'node_modules/npm'), modules]);
      await run('cp', [path.join(prefix, 'node_modules/node/bin/node'), path.join(local, 'bin/node')]);
      await chmod(path.join(local, 'bin/node'), 0o755);
      await run('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', path.join(local, 'bin/npm')]);
      await rm(prefix, { recursive: true });
    });
  }

  /** Makes an image, unless it is there, of a root that `fill` fills. */
  async #ensure(image: string, fill: (root: string) => Promise<void>): Promise<void> {
    if (await this.#has(image)) return;
    const container = await this.#from('scratch');
    try {
      const root = (await this.#buildah(['mount', container])).trim();
      await fill(root);
      await run('sh', [
        '-c',
        'rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*',
        'sh',
        root,
      ]);
      const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
      await this.#buildah(['config', '--env', `PATH=${searchPath}`, container]);
      await this.#buildah(['commit', '--quiet', container, image]);
    } finally {
      await this.#buildah(['rm', container]);
    }
  }

  async #build(context: string, image: string, settings: string[]): Promise<void> {
    const options = ['--quiet', '--layers', '--isolation', 'chroot', '--pull-never', '--tag', image];
    await this.#buildah(['build', ...options, ...settings, context]);
  }

  async #from(image: string): Promise<string> {
    return (await this.#buildah(['from', '--pull-never', image])).trim();
  }

  async #has(image: string): Promise<boolean> {
    return (await attempt('buildah', [...this.#store, 'inspect', '--type', 'image', image])).code === 0;
  }

  async #buildah(args: string[]): Promise<string> {
    await mkdir(this.folder, { recursive: true });
    return run('buildah', [...this.#store, ...args], {
      timeout: 15 * minutes,
      env: { BUILDAH_ISOLATION: 'chroot' },
    });
  }
}

async function debootstrap(
  root: string,
  suite: string,
  options: string[] = [],
  script?: string,
): Promise<void> {
  const what = [suite, root, await debianMirror(), ...(script === undefined ? [] : [script])];
  await run('debootstrap', ['--variant=minbase', ...options, ...what], { timeout: 10 * minutes });
}

/** This machine's way to Debian's and npm's packages: its mirror, its apt settings, its npm settings. */
async function builderSettings(secrets: string): Promise<string[]> {
  const settings = ['--build-arg', `DEBIAN_MIRROR=${await debianMirror()}`];
  if (existsSync('/etc/apt/apt.conf.d'))
    settings.push('--volume', '/etc/apt/apt.conf.d:/etc/apt/apt.conf.d:ro');
  const npmrc = path.join(os.homedir(), '.npmrc');
  if (existsSync(npmrc)) {
    const lines = (await readFile(npmrc, 'utf8')).split('\n');
    // Paths of this machine mean nothing there; certificates are handed over by themselves.
    const portable = lines.filter((line) => !/^\s*(cafile|prefix|cache|nodedir)\s*=/.test(line));
    await writeFile(path.join(secrets, 'npmrc'), portable.join('\n'), { mode: 0o600 });
    settings.push('--secret', `id=npmrc,src=${path.join(secrets, 'npmrc')}`);
  }
  const certificates =
    process.env.NODE_EXTRA_CA_CERTS ?? (await run('npm', ['config', 'get', 'cafile'])).trim();
  if (existsSync(certificates)) settings.push('--secret', `id=ca,src=${certificates}`);
  return settings;
}
