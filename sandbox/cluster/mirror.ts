import { readFile } from 'node:fs/promises';
import { run } from '../process.js';

/** The mirror that this machine gets its Debian from, e.g. `http://deb.debian.org/debian`. */
export async function debianMirror(): Promise<string> {
  const [release, targets] = await Promise.all([
    readFile('/etc/os-release', 'utf8'),
    run('apt-get', ['indextargets', '--format', '$(SITE) $(RELEASE) $(COMPONENT)', 'Created-By: Packages']),
  ]);
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1] ?? '';
  const known = targets.split('\n').map((line) => line.split(' '));
  const own = known.find(
    ([, suite = '', component]) =>
      component === 'main' && (suite === codename || /^(old)*stable$/.test(suite)),
  );
  const [site] = own ?? [];
  if (site === undefined) throw new Error(`no mirror of Debian ${codename} in this machine's sources`);
  return site;
}
