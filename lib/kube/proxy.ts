import { BlockList, isIP } from 'node:net';

/** The proxy that the environment names for a URL, by the rules of Go's programs, of which kubectl is one; else null. */
export function proxyFor(server: string, env: NodeJS.ProcessEnv): string | null {
  const { protocol, hostname, port } = new URL(server);
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (host === 'localhost' || isLoopback(host)) return null;
  const of = (name: string) => env[name.toUpperCase()] ?? env[name] ?? '';
  const proxy = of(protocol === 'https:' ? 'https_proxy' : 'http_proxy').trim();
  if (proxy === '') return null;
  const at = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  const exceptions = of('no_proxy').split(',');
  if (exceptions.some((exception) => matches(exception.trim().toLowerCase(), host, at))) return null;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

function isLoopback(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** `*`, a name and what is below it, `.what.is.below`, an address, a network, each but a network with a port perhaps. */
function matches(exception: string, host: string, port: string): boolean {
  if (exception === '') return false;
  if (exception === '*') return true;
  const [, named = exception, wantedPort = port] = /^(.*[^:]):(\d+)$/.exec(exception) ?? [];
  const [network = '', bits] = exception.split('/');
  const family = isIP(network);
  if (bits !== undefined && family !== 0)
    return isIP(host) === family && isWithin(host, network, Number(bits));
  if (isIP(exception) !== 0) return exception === host;
  if (wantedPort !== port) return false;
  if (isIP(named) !== 0) return named === host;
  const name = named.replace(/^\*?\./, '');
  return host.endsWith(`.${name}`) || (host === name && !/^\*?\./.test(named));
}

function isWithin(host: string, network: string, bits: number): boolean {
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  if (!Number.isInteger(bits) || bits > (family === 'ipv6' ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, family);
  return list.check(host, family);
}
