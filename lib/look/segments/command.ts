/** Subcommand that this program starts itself (`bin`): it serves a disk of segments as one file. */
export const serveSegmentsCommand = 'internal-serve-segments';
/** Name of that file. */
export const diskFile = 'disk';
