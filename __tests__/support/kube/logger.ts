import { silent, type Logger } from '../../../lib/log/logger.js';

/** A logger that keeps its warnings. */
export function recordingLogger(warnings: string[]): Logger {
  const logger: Logger = {
    ...silent,
    warn: (message) => {
      warnings.push(message);
    },
    with: () => logger,
  };
  return logger;
}
