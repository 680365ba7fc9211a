/**
 * What can be wrong.
 *
 * - `INVALID_REQUEST`: the size, the extents or the cluster size asked for cannot be an image.
 * - `SOURCE_MISMATCH`: the source gave fewer or more bytes than the extents announced.
 * - `TRUNCATED`: the image read ended too early.
 * - `MALFORMED`: the image read contradicts itself or the format.
 * - `UNSUPPORTED`: the image read may be sound, but cannot be read from a stream by this library.
 * - `TOO_FRAGMENTED`: the map of the image read needs more memory than allowed.
 */
export type Qcow2ErrorCode =
  'INVALID_REQUEST' | 'SOURCE_MISMATCH' | 'TRUNCATED' | 'MALFORMED' | 'UNSUPPORTED' | 'TOO_FRAGMENTED';

export class Qcow2Error extends Error {
  constructor(
    readonly code: Qcow2ErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'Qcow2Error';
  }
}
