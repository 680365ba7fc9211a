/**
 * Subcommands that this program starts itself and no user needs to know: `bin` looks for them before anything is loaded
 * that they do not need.
 */
export const exportImageCommand = 'internal-export-image';
export const serveViewCommand = 'internal-serve-view';
