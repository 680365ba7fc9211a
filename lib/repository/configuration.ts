import { readFileSync } from 'node:fs';
import { isRepositoryLocation } from './location.js';

/**
 * Everything that is wrong with restic's own configuration, found before restic is started. No message quotes the
 * repository's URL: it may carry a password.
 */
export function repositoryMistakes(
  env: NodeJS.ProcessEnv,
): { code: 'USAGE' | 'REPOSITORY_URL_INVALID'; message: string }[] {
  const mistakes: { code: 'USAGE' | 'REPOSITORY_URL_INVALID'; message: string }[] = [];
  const given = (name: string) => (env[name] ?? '') !== '';
  const usage = (message: string) => mistakes.push({ code: 'USAGE', message });

  if (given('RESTIC_REPOSITORY') && given('RESTIC_REPOSITORY_FILE')) {
    usage('RESTIC_REPOSITORY and RESTIC_REPOSITORY_FILE are both set: keep one');
  } else if (given('RESTIC_REPOSITORY') || given('RESTIC_REPOSITORY_FILE')) {
    // restic takes a file's text without the white space around it, and a variable as it is.
    const url = given('RESTIC_REPOSITORY')
      ? env.RESTIC_REPOSITORY
      : readable(env.RESTIC_REPOSITORY_FILE)?.trim();
    if (url === undefined) usage('the file named by RESTIC_REPOSITORY_FILE cannot be read');
    else if (!isRepositoryLocation(url)) {
      mistakes.push({
        code: 'REPOSITORY_URL_INVALID',
        message: `the URL of the restic repository does not parse${url === url.trim() ? '' : ': there is white space around it'}`,
      });
    }
  } else usage('no repository: set RESTIC_REPOSITORY or RESTIC_REPOSITORY_FILE');

  if (given('RESTIC_PASSWORD_FILE')) {
    if (readable(env.RESTIC_PASSWORD_FILE) === undefined)
      usage('the file named by RESTIC_PASSWORD_FILE cannot be read');
  } else if (!given('RESTIC_PASSWORD') && !given('RESTIC_PASSWORD_COMMAND')) {
    usage('no repository password: set RESTIC_PASSWORD_FILE, RESTIC_PASSWORD or RESTIC_PASSWORD_COMMAND');
  }
  return mistakes;
}

/** What is allowed and yet hardly meant. */
export function repositoryWarnings(env: NodeJS.ProcessEnv): string[] {
  // restic takes a file's text without the white space around it, and a variable as it is.
  const { RESTIC_PASSWORD: password = '', RESTIC_PASSWORD_FILE: file = '' } = env;
  if (file !== '' || password === password.trim()) return [];
  return [
    'RESTIC_PASSWORD begins or ends with white space, perhaps the last newline of the file that it was made from: to restic that is a part of the password, while in a file of RESTIC_PASSWORD_FILE it is none',
  ];
}

/** The secrets within files that restic's configuration names. */
export function repositorySecrets(env: NodeJS.ProcessEnv): string[] {
  return [readable(env.RESTIC_PASSWORD_FILE), readable(env.RESTIC_REPOSITORY_FILE)].filter(
    (text) => text !== undefined,
  );
}

function readable(file: string | undefined): string | undefined {
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
