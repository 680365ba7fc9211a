import path from 'node:path';

/**
 * Whether restic can read where a repository is: a path, or `scheme:rest` [restic internal/backend/location/location.go,
 * and config.go of each backend]. What it cannot read it quotes, with the password that may be in it. Of what it can,
 * only that is refused which leads nowhere, such as a port above 65535.
 */
export function isRepositoryLocation(location: string): boolean {
  const [, scheme = '', rest = ''] = /^([a-z0-9]*):(.*)$/s.exec(location) ?? [];
  const [first, second] = cut(rest, ':');
  switch (scheme) {
    case 'rest':
      return isRestServer(rest);
    case 's3':
      return isBucket(rest);
    case 'sftp':
      return isSshPath(rest);
    case 'b2':
      return /^[a-zA-Z0-9-]+$/.test(first);
    case 'gs':
    case 'azure':
      return first !== '' && second !== null;
    case 'swift':
      return first !== '' && second?.startsWith('/') === true;
    case 'rclone':
    case 'local':
      return rest !== '';
    default:
      // A colon is for backends, unless it looks like a path.
      return location.trim() !== '' && (!location.includes(':') || /^\.{0,2}\//.test(location));
  }
}

function isRestServer(rest: string): boolean {
  const url = parseUrl(rest);
  if (url === null) return false;
  return /^https?$/.test(url.scheme)
    ? /[^:]/.test(url.host)
    : /^https?\+unix$/.test(url.scheme) && url.path !== '';
}

/** `https://host/bucket/path`, or `host/bucket/path` with `//` before it or not. */
function isBucket(rest: string): boolean {
  if (!rest.startsWith('http')) return /^(?:\/\/)?[^/\s]+\/\S/.test(rest);
  const url = parseUrl(rest);
  return url !== null && url.host !== '' && /^\/+[^/]/.test(url.path);
}

/** `//user@host:port/path` or `user@host:path`; restic refuses a tilde, which servers do not expand. */
function isSshPath(rest: string): boolean {
  if (!rest.startsWith('//')) {
    const [host, folder] = cut(rest, ':');
    return /^[^\s]+$/.test(host) && isFolder(folder ?? '');
  }
  const url = parseUrl(`sftp:${rest}`);
  return url !== null && url.host !== '' && isFolder(url.path.slice(1));
}

function isFolder(folder: string): boolean {
  return folder !== '' && !path.posix.normalize(folder).startsWith('~');
}

interface ParsedUrl {
  scheme: string;
  /** With its port. */
  host: string;
  path: string;
}

const badEscape = /%(?![0-9a-f]{2})/i;

/** As Go's `net/url` reads it, which is stricter than the URL standard; null where it does not. */
function parseUrl(text: string): ParsedUrl | null {
  if (/[\u0000-\u001f\u007f]/.test(text) || badEscape.test(text.replace(/\?[^#]*/, ''))) return null;
  const [, scheme = '', authority, rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^#]*)/i.exec(text) ?? [];
  if (authority === undefined) return null;
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  if (at >= 0 && !/^[-\w.:~!$&'()*+,;=%@]*$/.test(authority.slice(0, at))) return null;
  const [, bracketed, port] = /^(\[[^\]]*\])?[^[\]]*?(?::(\d*))?$/.exec(host) ?? [];
  const hostIsValid =
    bracketed === undefined
      ? /^[-\w.~!$&'()*+,;=<>"\u0080-\uffff]*(:\d*)?$/.test(host)
      : /^\[[0-9a-f:.]+(%25[^\]]+)?\](:\d*)?$/i.test(host);
  if (!hostIsValid || Number(port ?? 0) > 65535) return null;
  return { scheme: scheme.toLowerCase(), host, path: rest.replace(/\?.*/s, '') };
}

/** What is before and behind the first `separator`; null where there is none. */
function cut(text: string, separator: string): [string, string | null] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + separator.length)];
}
