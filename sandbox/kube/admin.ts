import http from 'node:http';
import https from 'node:https';
import type { AdminRequest, Answer } from './types.js';

const patience = 30_000;

/** A small client of its own: the sandbox must not depend on the code that is tested with it. */
export function adminRequest(url: string, token: string, ca?: string): AdminRequest {
  const secure = url.startsWith('https:');
  // A connection for each request: one that is kept may be closed by the server just when it is used again.
  const agent = secure ? new https.Agent({ keepAlive: false, ca }) : new http.Agent({ keepAlive: false });
  return (method, path, body, contentType = 'application/json') =>
    new Promise<Answer>((resolve, reject) => {
      const headers: Record<string, string> = {
        Authorization: `Bearer ${token}`,
        Accept: 'application/json',
        ...(body === undefined ? {} : { 'Content-Type': contentType }),
      };
      const request = (secure ? https : http).request(
        new URL(path, url),
        { method, headers, agent, signal: AbortSignal.timeout(patience) },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({ status: response.statusCode ?? 0, body: parse(text) });
          });
        },
      );
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
