import { catalogue, type ErrorCode } from '../errors/catalogue.js';
import { CephbackupError } from '../errors/error.js';

const marker = 'cephbackup-error: ';

/** One line for stderr, by which the producer tells its reason through restic. */
export function producerErrorLine({ code, message }: CephbackupError): string {
  return marker + JSON.stringify({ code, message });
}

/** The producer's error, if this line of restic's stderr carries one (restic puts a prefix of its own before it). */
export function parseProducerError(line: string): CephbackupError | null {
  const start = line.indexOf(marker);
  if (start < 0) return null;
  try {
    const { code, message } = JSON.parse(line.slice(start + marker.length)) as Record<string, unknown>;
    if (typeof code !== 'string' || typeof message !== 'string' || !(code in catalogue)) return null;
    return new CephbackupError(code as ErrorCode, message);
  } catch {
    return null;
  }
}
