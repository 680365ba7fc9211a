import { fromStartDirectory, inStartDirectory } from '../restic/start-directory.js';

/** The variables that every child gets; everything else stays with this program. */
const everyChild =
  /^(PATH|HOME|TMPDIR|LANG|https?_proxy|no_proxy|all_proxy|HTTPS?_PROXY|NO_PROXY|ALL_PROXY|SSL_CERT_\w+)$/;
/** Repository configuration and credentials, and Go's own limits: for restic alone. */
const resticOnly = /^(RESTIC|AWS|AZURE|B2|GOOGLE|OS|ST|RCLONE)_\w+$|^(GOMEMLIMIT|GOMAXPROCS|GOGC)$/;
/** Keeps tree blobs the same although each clone has a device number of its own (restic >= 0.17). */
const deviceFeature = 'device-id-for-hardlinks=true';
const secretName = /PASSWORD$|SECRET|TOKEN|_KEY$|ACCOUNT_KEY|SAS|PASS$|CREDENTIAL/;

export type Environment = Record<string, string>;

function pick(env: NodeJS.ProcessEnv, wanted: RegExp): Environment {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && wanted.test(entry[0]),
    ),
  );
}

/** The clean environment of a child. Times that children print are UTC, and what they say is not translated: it is read. */
export function childEnvironment(env: NodeJS.ProcessEnv): Environment {
  return { ...pick(env, everyChild), TZ: 'UTC', ...(env.LANG === undefined ? {} : { LANG: 'C.UTF-8' }) };
}

/**
 * The environment of restic: the repository's configuration in addition. A password command runs below restic, and
 * gets neither the credentials nor a life of its own: it is started without them and dies with restic.
 */
export function resticEnvironment(env: NodeJS.ProcessEnv): Environment {
  const repository = pick(env, resticOnly);
  const result: Environment = {
    ...fromStartDirectory({ ...childEnvironment(env), ...repository }),
    RESTIC_PROGRESS_FPS: '0.5',
    RESTIC_FEATURES: [repository.RESTIC_FEATURES, deviceFeature].filter(Boolean).join(','),
  };
  delete result.RESTIC_HOST;
  const command = repository.RESTIC_PASSWORD_COMMAND;
  if (command !== undefined) {
    result.RESTIC_PASSWORD_COMMAND = belowRestic(Object.keys(result), command);
  }
  return result;
}

/** `command` (restic's own quoting) so wrapped that it gets none of restic's variables, sees relative paths as this program does, and dies with restic. */
function belowRestic(names: string[], command: string): string {
  const unset = names.filter((name) => resticOnly.test(name)).map((name) => `-u ${name}`);
  return `setpriv --pdeathsig KILL ${inStartDirectory()} ${unset.join(' ')} ${command}`;
}

/**
 * argv prefix for a program that restic starts: none of restic's variables, and it dies with restic.
 * @param env restic's
 */
export function belowResticArgv(env: Environment): string[] {
  const names = Object.keys(env).filter((name) => resticOnly.test(name));
  return ['setpriv', '--pdeathsig', 'KILL', 'env', ...names.flatMap((name) => ['-u', name])];
}

/** The values of the variables that hold secrets, for the redactor. */
export function secretValues(env: NodeJS.ProcessEnv): string[] {
  return Object.entries(pick(env, resticOnly))
    .filter(([name]) => secretName.test(name))
    .map(([, value]) => value);
}
