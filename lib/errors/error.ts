import { catalogue, type ErrorCode, type ErrorKind } from './catalogue.js';

/** What a user, a script or a log gets to see of an error. */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  guidance: string;
}

export interface ErrorDetails {
  /** What to do, where the catalogue's text is too general for this case. */
  guidance?: string;
  cause?: unknown;
  /** Whether trying the same again may succeed. */
  retryable?: boolean;
}

/** The one error type of this program: a stable code, what went wrong, and what to do about it. */
export class CephbackupError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly guidance: string;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CephbackupError';
    this.code = code;
    this.kind = catalogue[code].kind;
    this.guidance = details.guidance ?? catalogue[code].guidance;
    this.retryable = details.retryable ?? false;
  }

  report(): ErrorReport {
    return { code: this.code, message: this.message, guidance: this.guidance };
  }
}

/** What any thrown value says. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Any thrown value as one of ours; what nobody foresaw becomes `INTERNAL`. */
export function asCephbackupError(thrown: unknown): CephbackupError {
  if (thrown instanceof CephbackupError) return thrown;
  return new CephbackupError('INTERNAL', messageOf(thrown), { cause: thrown });
}
